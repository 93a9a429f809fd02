"""What `manage.py bench` measures: CPU seconds of every process that works, over the real path."""
