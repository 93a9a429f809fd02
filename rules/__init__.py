"""Metrics in, notifications out."""
