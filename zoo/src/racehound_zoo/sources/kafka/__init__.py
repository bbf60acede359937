"""Kafka and the schema registry: sources that follow a topic, sinks that write one."""
