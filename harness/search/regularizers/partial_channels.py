"""PC-DARTS: partial channel connections."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness.search.naming import DARTS_CODE, NamedUse, SearchRecipe
from harness.search.regularizers.alpha_warmup import AlphaWarmup
from harness.search.regularizers.base import Regularizer
from harness.spaces.base import IMAGES


class PartialChannels(Regularizer):
    """Send 1/k of the channels through the mixed operation; the others pass by, and a shuffle in k groups mixes them.

    Xu et al., PC-DARTS, ICLR 2020 (arXiv 1907.05737), section 3.1. Edge normalization: on NAS-Bench-1Shot1 the weights
    of a node's parents are what the published code uses for it; NAS-Bench-201 keeps every edge, and has none here.
    """

    name = "partial-channels"
    paper = "Xu et al., ICLR 2020 (1907.05737)"
    asks = (IMAGES,)
    recipes: ClassVar = {
        "": SearchRecipe(
            "yuhuixu1993/PC-DARTS train_search.py",
            {
                **DARTS_CODE,
                "batch_size": 256,
                "learning_rate": 0.1,
                "learning_rate_min": 0.0,
                "alpha_learning_rate": 6e-4,
                "sampling": "replacement",
            },
            16,
            50,
            (AlphaWarmup(length=15),),
        ),
        "nasbench1shot1": SearchRecipe(
            "automl/nasbench-1shot1 optimizers/pc_darts", {**DARTS_CODE, "batch_size": 96, "sampling": "pass"}, 16, 50
        ),
    }
    methods: ClassVar = {"pc-darts": NamedUse()}
    neutral: ClassVar[dict[str, Any]] = {"k": 1}
    status = "conforms"
    stacks = True
    k: int = Field(4, ge=1)
    """1/k of the channels are mixed."""

    def supernet_options(self) -> dict[str, Any]:
        return {"partial_channels": self.k}
