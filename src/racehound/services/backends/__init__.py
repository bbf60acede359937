"""Backends, which run services. `process`: native processes; `docker`: containers; `external`: the user's own servers."""
