"""NAS-Bench-1Shot1."""

from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1, NASBench1Shot1S2, NASBench1Shot1S3

__all__ = ["NASBench1Shot1S1", "NASBench1Shot1S2", "NASBench1Shot1S3"]
