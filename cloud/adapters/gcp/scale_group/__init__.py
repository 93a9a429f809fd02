"""`scale_group` by Google Cloud."""
