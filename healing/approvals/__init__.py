"""What must be allowed before anything is done, and by whom."""
