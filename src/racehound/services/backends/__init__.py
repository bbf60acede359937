"""Backends: who runs a service. `process` native processes, `docker` containers, `external` the user (racehound only connects)."""
