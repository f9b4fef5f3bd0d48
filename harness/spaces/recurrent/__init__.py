"""DARTS' recurrent cells, searched and trained as language models."""

from harness.spaces.recurrent.space import PennTreebank

__all__ = ["PennTreebank"]
