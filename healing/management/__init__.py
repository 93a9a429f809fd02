"""Commands of healing."""
