"""`uncordon_node` by Kubernetes."""
