"""Microsoft Azure, through its management clients."""
