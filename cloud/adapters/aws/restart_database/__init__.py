"""`restart_database` by AWS."""
