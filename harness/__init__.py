"""Reproduce differentiable architecture searches over NAS-Bench tables, and check what they claim."""

__version__ = "0.1.0"
