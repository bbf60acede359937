"""Materialize as a target."""
