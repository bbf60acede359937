"""The catalog: databases, schemas, items, roles and clusters, as one immutable state."""
