"""`delete_pod` by Kubernetes."""
