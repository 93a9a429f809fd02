"""`stop_instance` by AWS."""
