"""Measuring healing."""
