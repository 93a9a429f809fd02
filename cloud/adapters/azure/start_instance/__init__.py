"""`start_instance` by Azure."""
