"""Docker, through its own client."""
