"""`restart_host_service` by an agent on the host."""
