"""What the inventory costs."""
