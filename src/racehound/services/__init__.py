"""Services: real servers that a run needs, started as guarded processes that never outlive racehound."""
