"""REST over cloud accounts."""
