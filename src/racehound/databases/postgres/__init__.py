"""The plug-in for PostgreSQL: a server that racehound starts (the default), or one at an address that the user gives."""
