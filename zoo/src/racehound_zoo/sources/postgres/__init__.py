"""PostgreSQL, followed by logical replication."""
