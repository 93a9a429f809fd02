"""Google Cloud, through its compute and monitoring clients."""
