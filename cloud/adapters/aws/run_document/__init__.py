"""`run_document` by AWS."""
