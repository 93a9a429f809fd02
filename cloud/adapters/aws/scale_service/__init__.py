"""`scale_service` by AWS."""
