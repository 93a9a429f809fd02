"""The Amazon SNS receiver."""
