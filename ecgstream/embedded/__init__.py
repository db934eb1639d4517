"""The real Kafka and PostgreSQL, started as children of our own process."""
