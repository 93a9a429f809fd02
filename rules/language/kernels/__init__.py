"""Compiled loops over windows and groups, for what no NumPy call does in one pass. Cached on disk."""
