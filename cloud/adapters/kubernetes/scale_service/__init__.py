"""`scale_service` by Kubernetes."""
