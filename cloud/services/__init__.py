"""What is done with cloud accounts."""
