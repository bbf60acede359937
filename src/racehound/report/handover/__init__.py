"""Hand-over: a reduced finding in forms that others can run without racehound, with a bug report.

Everything is text made of the scene, the finding and the reduction; nothing here talks to a server.
"""

from racehound.report.handover.directory import write_handover

__all__ = ["write_handover"]
