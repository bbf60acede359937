"""The race matrix: every operation of the catalogue against every other one, systematically."""
