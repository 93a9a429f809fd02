"""`stop_instance` by Google Cloud."""
