"""Targets: how to start or reach a database, reset it, open a session, read its errors; a package per database."""
