"""DARTS' cells with the operations that NASP chooses from (Yao et al., AAAI 2020, arXiv 1905.13577, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from harness.spaces.base import Space
from harness.spaces.darts.genotype import EDGES
from harness.spaces.darts.space import SKIP, DARTSSpace, repeat_for_both_cells

CHANNELS = 12
"""At which the published code counts weights."""
POOLS = ("avg_pool_3x3", "max_pool_3x3", "max_pool_5x5", "max_pool_7x7")
COUNTED: Mapping[str, int] = {
    SKIP: 0,
    "conv_3x1_1x3": 6 * CHANNELS**2,
    "dil_conv_3x3": 9 * CHANNELS + CHANNELS**2,
    "conv 1x1": CHANNELS**2,
    "conv 3x3": 9 * CHANNELS**2,
    **{f"sep_{k}x{k}": 2 * (k**2 * CHANNELS + CHANNELS**2) for k in (3, 5, 7)},
}
"""Weights of the operations of a normal cell."""


class NASPCells(DARTSSpace):
    """Eight operations on every edge of the normal cell, five of the reduction cell, called as in the published code;
    `none` is not among them."""

    name = "darts.nasp"
    source = "Yao et al., NASP, AAAI 2020 (arXiv 1905.13577)"
    tensors = repeat_for_both_cells((tuple(COUNTED),) * len(EDGES), ((SKIP, *POOLS),) * len(EDGES))
    weights: ClassVar[Mapping[str, int]] = COUNTED

    @classmethod
    def of_record(cls, recorded: str, arrays: Mapping[str, Any]) -> Space | None:
        """Records say what the operations are, behind the name."""
        return super().of_record(recorded.partition(" (")[0], arrays)
