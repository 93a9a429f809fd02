"""`prune_images` by Docker."""
