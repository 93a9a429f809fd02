"""`replace_member` by AWS."""
