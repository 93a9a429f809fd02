"""`restart_instance` by Azure."""
