"""Detectors: series in, anomaly scores out, one estimator a file, all behind `protocol.py`."""
