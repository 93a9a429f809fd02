"""Shared vocabulary: labels, samples, durations, identifiers, clock, errors. Pure Python, no framework."""
