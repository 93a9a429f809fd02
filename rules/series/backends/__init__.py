"""Stores behind `SeriesReader` and `SeriesWriter`. `memory` is the reference; all pass one contract suite."""
