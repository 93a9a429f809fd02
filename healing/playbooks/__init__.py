"""Playbooks as written: read, checked, compiled to a flat graph of steps."""
