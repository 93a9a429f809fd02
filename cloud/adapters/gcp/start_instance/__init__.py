"""`start_instance` by Google Cloud."""
