"""MySQL, followed by its binary log."""
