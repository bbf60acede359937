"""What exists: databases, schemas, items, roles, clusters, as one immutable state."""
