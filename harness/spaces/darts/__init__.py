"""DARTS' own spaces: the full cell, and the reduced ones S1 to S4."""

from harness.spaces.darts.space import S1, S2, S3, S4, Full, FullNone

__all__ = ["S1", "S2", "S3", "S4", "Full", "FullNone"]
