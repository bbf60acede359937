"""Seeded races, each behind a switch: what the hunt must find.

All are off unless named. With none on, no code of this package but `Switches` runs.
"""

from racehound_zoo.defects.registry import DEFECTS, Defect
from racehound_zoo.defects.switches import Switches

__all__ = ["DEFECTS", "Defect", "Switches"]
