"""A session that speaks the PostgreSQL protocol through libpq. Several databases and services use it."""
