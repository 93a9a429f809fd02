"""Forecasts: series in, expected futures with intervals out; time to a threshold; probability of
incidents.
"""
