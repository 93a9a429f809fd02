"""Use cases of models: each loads, calls a stage, saves and records."""
