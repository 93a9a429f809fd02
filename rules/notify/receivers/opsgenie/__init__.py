"""The Opsgenie receiver."""
