"""`restart_service` by AWS."""
