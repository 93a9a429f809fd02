"""The Microsoft Teams receiver."""
