"""NAS-Bench-201."""

from harness.spaces.nasbench201.space import NASBench201

__all__ = ["NASBench201"]
