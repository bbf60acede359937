"""The parser for Materialize's SQL, as far as racehound's kinds use it. Statements are frozen dataclasses."""
