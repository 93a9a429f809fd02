"""`fail_over_database` by AWS."""
