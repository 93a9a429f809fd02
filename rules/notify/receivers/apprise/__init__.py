"""The receiver for the services of Apprise."""
