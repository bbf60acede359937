"""Artifacts: what the programs of services come in, fetched from package registries by their ordinary clients, once per user.

Nothing is fetched while a run is going: `find` only looks, `install` is called by `racehound services install` alone.
"""
