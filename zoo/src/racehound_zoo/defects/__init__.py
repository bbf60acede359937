"""The seeded defects: races that racehound must find. Each has a name and is off unless that name is given.

The rest of the emulator does not import this package. `server` creates an `EnabledDefects` and hands it to the engine, which
calls it through the protocol `defect_hooks.SeededDefects`.
"""

from racehound_zoo.defects.enabled import EnabledDefects
from racehound_zoo.defects.registry import DEFECTS, Defect

__all__ = ["DEFECTS", "Defect", "EnabledDefects"]
