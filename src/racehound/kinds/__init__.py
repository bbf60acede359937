"""Kinds: the sorts of database objects and their lives, a package of them per target, as small readable testdrive fragments."""
