"""The log receiver."""
