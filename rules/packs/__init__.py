"""Rule packs: Prometheus rule files that come with the product."""
