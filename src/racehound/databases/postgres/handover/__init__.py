"""Hand-over formats of PostgreSQL: scripts for psql, a spec for isolationtester, a Python script."""
