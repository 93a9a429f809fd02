"""From an alert's change of state to a message that arrived."""
