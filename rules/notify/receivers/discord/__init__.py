"""The Discord receiver."""
