"""`set_concurrency` by AWS."""
