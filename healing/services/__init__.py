"""Use cases of healing."""
