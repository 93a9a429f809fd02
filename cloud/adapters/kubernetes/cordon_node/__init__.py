"""`cordon_node` by Kubernetes."""
