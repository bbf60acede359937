"""Embedded: PostgreSQL servers that racehound starts itself, of the release that pip installs or of a fetched one."""
