"""The agent on a host: restarts the services of its list for whoever knows its token. No shell, no SSH."""
