"""REST of healing."""
