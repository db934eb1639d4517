"""A Grafana, by its HTTP API: one file a kind of thing."""
