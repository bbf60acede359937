"""Kafka and the schema registry: sources that read topics, and sinks that write to them."""
