"""Hand-over: files that show a reduced finding without racehound, and a bug report.

All of it is text made from the finding and its reduction. Nothing here connects to a server.
"""

from racehound.report.handover.directory import kit_of, write_handover

__all__ = ["kit_of", "write_handover"]
