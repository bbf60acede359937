"""Sources, which fill relations from external systems, and sinks, which write relations to them."""
