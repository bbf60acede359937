"""Oracles that check a PostgreSQL server at rest: catalog integrity, relation files, pg_dump, leaks, growth of processes."""
