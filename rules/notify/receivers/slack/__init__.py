"""The Slack receiver."""
