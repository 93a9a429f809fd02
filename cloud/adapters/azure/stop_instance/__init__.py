"""`stop_instance` by Azure."""
