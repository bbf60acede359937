"""Backends: who runs a service. `process`: racehound, natively; `docker`: containers; `external`: the user, at an address."""
