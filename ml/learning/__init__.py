"""How models are learned and judged: packs, evaluation, drift, thresholds from feedback."""
