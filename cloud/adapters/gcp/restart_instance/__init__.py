"""`restart_instance` by Google Cloud."""
