"""`restart_service` by Kubernetes."""
