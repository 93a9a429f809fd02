"""Use cases of rules: each loads, calls a stage, saves."""
