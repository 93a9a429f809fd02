"""PromQL: parsed behind limits, planned once, evaluated over columnar frames."""
