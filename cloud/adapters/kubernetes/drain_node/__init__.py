"""`drain_node` by Kubernetes."""
