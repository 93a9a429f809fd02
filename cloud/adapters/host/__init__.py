"""Hosts, through an agent that restarts services of its list."""
