"""Perturbations: what disturbs the timing of a program while it runs, drawn from its seed. See `registry.py`."""
