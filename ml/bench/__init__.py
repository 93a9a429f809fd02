"""What models cost on one core."""
