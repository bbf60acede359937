"""MySQL sources, which read the binary log."""
