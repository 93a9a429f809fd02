"""Labelled series: how they are read and written, whatever keeps them."""
