"""`restart_service` by Docker."""
