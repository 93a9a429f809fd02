"""`start_instance` by AWS."""
