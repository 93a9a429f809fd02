"""`replace_member` by Azure."""
