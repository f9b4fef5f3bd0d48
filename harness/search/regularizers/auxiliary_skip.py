"""DARTS-: an auxiliary skip connection that fades away."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness.search.naming import Named, Recipe
from harness.search.regularizers.base import Regularizer
from harness.search.schedules import until_the_end
from harness.search.steps import Moment
from harness.spaces.blocks.supernet import Supernet


class AuxiliarySkip(Regularizer):
    """Add b times its input to every mixed operation, b falling linearly from `start` to 0 over the search.

    Chu et al., DARTS-, ICLR 2021 (arXiv 2009.01027), equation 4: the benefit of a skip as a short cut is given to all
    operations alike, so that the skip among the candidates need not win for it. It is not part of the derived cell.
    On NAS-Bench-1Shot1, whose nodes have no skip operation, it is an adaptation.
    """

    name = "auxiliary-skip"
    paper = "Chu et al., ICLR 2021 (2009.01027)"
    recipes: ClassVar = {"": Recipe("Meituan-AutoML/DARTS-, its epochs alone", epochs=50)}
    methods: ClassVar = {"darts-minus": Named()}
    neutral: ClassVar[dict[str, Any]] = {"start": 0}
    start: float = Field(1.0, ge=0)

    def supernet_options(self) -> dict[str, Any]:
        return {"auxiliary": self.start > 0}

    def begin_epoch(self, net: Supernet, moment: Moment) -> None:
        net.auxiliary_skip = until_the_end(self.start, 0.0, moment)
