"""Servers that answer the queries of rules: Prometheus, Mimir, Thanos, VictoriaMetrics."""
