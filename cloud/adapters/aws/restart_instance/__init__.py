"""`restart_instance` by AWS."""
