"""Forecasts: series in, expected futures with intervals out; times to thresholds; chances of incidents."""
