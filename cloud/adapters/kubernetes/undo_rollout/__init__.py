"""`undo_rollout` by Kubernetes."""
