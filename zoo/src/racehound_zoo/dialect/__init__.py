"""Materialize's SQL, as far as the catalogue of kinds speaks it: text to frozen dataclasses."""
