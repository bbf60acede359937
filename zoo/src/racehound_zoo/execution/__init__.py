"""The execution of statements."""
