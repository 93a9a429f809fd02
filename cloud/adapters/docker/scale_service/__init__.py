"""`scale_service` by Docker."""
