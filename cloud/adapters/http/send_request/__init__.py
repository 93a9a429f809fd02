"""Send a request."""
