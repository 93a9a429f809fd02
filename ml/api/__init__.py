"""REST of model groups."""
