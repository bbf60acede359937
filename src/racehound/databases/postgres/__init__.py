"""PostgreSQL as a target: embedded (the default) or at an address that the user gives."""
