"""`replace_member` by Google Cloud."""
