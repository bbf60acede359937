"""Databases: the protocol of a database plug-in, and a package for each built-in one."""
