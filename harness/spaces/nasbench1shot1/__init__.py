"""NAS-Bench-1Shot1."""

from harness.spaces.nasbench1shot1.space import S1, S2, S3

__all__ = ["S1", "S2", "S3"]
