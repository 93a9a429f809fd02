"""`scale_group` by AWS."""
