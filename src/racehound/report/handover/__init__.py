"""Hand-over: a reduced scene as others can run it: with psql alone, PostgreSQL's isolationtester, Python, or testdrive.

Beside the scripts lies a bug report. Everything is text made of the scene, the finding and the reduction; nothing here talks to a
server.
"""

from racehound.report.handover.directory import write_handover

__all__ = ["write_handover"]
