"""DARTS-: an auxiliary skip connection that fades away."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.search.naming import NamedUse, SearchRecipe
from harness.search.regularizers.base import Regularizer
from harness.search.steps import Moment
from harness.spaces.base import NO_WAY_AROUND

if TYPE_CHECKING:
    from harness.spaces.blocks.supernet import Supernet

DECAYS = {"linear": "linear", "cosine": "cosine", "slow_cosine": "slow-cosine", None: "none"}
"""Our names of the published decays."""


class AuxiliarySkip(Regularizer):
    """Add b times its input to every mixed operation, b falling from `start` to 0 over the search.

    Chu et al., DARTS-, ICLR 2021 (arXiv 2009.01027), equation 4: the benefit of a skip as a short cut is given to all
    operations alike, so that the skip among the candidates need not win for it. It is not part of the derived cell.
    On NAS-Bench-1Shot1, whose nodes have no skip operation, it is an adaptation.
    """

    name = "auxiliary-skip"
    paper = "Chu et al., ICLR 2021 (2009.01027)"
    asks = (NO_WAY_AROUND,)
    recipes: ClassVar = {"": SearchRecipe("Meituan-AutoML/DARTS-, its epochs alone", epochs=50)}
    methods: ClassVar = {"darts-minus": NamedUse()}
    status = "conforms"
    stacks = True
    neutral: ClassVar[dict[str, Any]] = {"start": 0}
    later = ("decay", "length", "source")
    start: float = Field(1.0, ge=0)
    """b in the first epoch."""
    decay: Literal["linear", "cosine", "slow-cosine", "none"] = "linear"
    """How b falls, as in the published code: linearly (its default), by half a cosine, by a quarter of one, or not at
    all."""
    length: int | None = Field(None, ge=1)
    """Epochs that it takes; None: those of the search."""
    source: Literal["edge", "cell"] = "edge"
    """What is added, the input of the edge, or that of the cell on every edge, as the authors of A2M have it in theirs,
    for cells of one input."""

    def supernet_options(self) -> dict[str, Any]:
        there = self.start > 0
        return {"auxiliary": there} | ({"auxiliary_of_cell": True} if there and self.source == "cell" else {})

    def begin_epoch(self, net: Supernet, moment: Moment) -> None:
        net.auxiliary_skip = self.factor(moment.epoch, moment.epochs)

    def factor(self, epoch: int, epochs: int) -> float:
        """b in a 0-based epoch of a search of so many."""
        length = self.length or epochs
        epoch = min(epoch, length)
        if self.decay == "linear":
            return self.start - self.start * epoch / length
        angle = math.pi * epoch / length
        left = {"cosine": (1 + math.cos(angle)) / 2, "slow-cosine": math.cos(angle / 2), "none": 1.0}
        return self.start * left[self.decay]
