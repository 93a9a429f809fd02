"""One command runs everything: embedded servers, the supervisor and the health of every process."""
