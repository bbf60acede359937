"""Kinds: what a class of database object is, how its operations are written, and how kinds from outside racehound are read."""
