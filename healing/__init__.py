"""Alerts in, verified repairs out."""
