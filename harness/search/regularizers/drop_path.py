"""R-DARTS (DP): scheduled drop-path on the mixed operations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.search.naming import NamedUse
from harness.search.regularizers.base import Regularizer
from harness.search.regularizers.cutout import Cutout
from harness.search.schedules import interpolate_until_last_epoch
from harness.search.steps import Moment
from harness.spaces.base import IMAGES

if TYPE_CHECKING:
    from harness.spaces.blocks.supernet import Supernet


class DropPath(Regularizer):
    """Drop each image's output of a mixed operation with probability p e / (E - 1), and scale the others up.

    Zela et al., ICLR 2020 (arXiv 1909.09656), section 4, which drops the outputs of mixed operations; 0.2, 0.4 and 0.6.
    In train mode only.
    """

    name = "drop-path"
    paper = "Zela et al., ICLR 2020 (1909.09656)"
    asks = (IMAGES,)
    methods: ClassVar = {"r-darts-dp": NamedUse(beside=(Cutout(ramp=True),))}
    neutral: ClassVar[dict[str, Any]] = {"probability": 0}
    probability: float = Field(0.2, ge=0, lt=1)
    """p of the last epoch."""

    def begin_epoch(self, net: Supernet, moment: Moment) -> None:
        net.path_dropout = interpolate_until_last_epoch(0.0, self.probability, moment)
