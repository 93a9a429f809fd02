"""`scale_group` by Azure."""
