"""DARTS' own spaces: the full cell, the reduced ones S1 to S4, and NASP's."""

from harness.spaces.darts.nasp import NASPCells
from harness.spaces.darts.space import DARTSS1, DARTSS2, DARTSS3, S4, DARTSFull, FullNone

__all__ = ["DARTSS1", "DARTSS2", "DARTSS3", "S4", "DARTSFull", "FullNone", "NASPCells"]
