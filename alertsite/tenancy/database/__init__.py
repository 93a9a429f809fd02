"""Django's PostgreSQL backend, whose sessions know who acts (`base`)."""
