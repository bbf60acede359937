"""Plug-in for any server that speaks the PostgreSQL protocol; an ordinary user suffices."""
