"""PostgreSQL sources, which use logical replication."""
