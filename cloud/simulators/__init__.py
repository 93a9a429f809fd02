"""Stateful stand-ins for providers, on loopback: what the adapters are tested with, and the sandbox."""
