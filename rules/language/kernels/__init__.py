"""Compiled loops over windows and groups, for what no NumPy call does in one pass. Compiled once, cached on disk."""
