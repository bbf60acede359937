"""The command line: one module per command. They parse, call and print; the logic is elsewhere."""
