"""The plug-in for Materialize."""
