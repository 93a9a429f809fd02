"""The receiver that is another Alertmanager."""
