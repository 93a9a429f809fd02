"""PromQL's functions: signatures, and what they do to whole frames at once, by kind."""
