"""DARTS' own spaces: the full cell, the reduced ones S1 to S4, and NASP's."""

from harness.spaces.darts.nasp import NASPCells
from harness.spaces.darts.space import S1, S2, S3, S4, Full, FullNone

__all__ = ["S1", "S2", "S3", "S4", "Full", "FullNone", "NASPCells"]
