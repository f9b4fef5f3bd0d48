"""DARTS-: an auxiliary skip connection that fades away."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.search.naming import Arrays, Meta, NamedUse, Recorded, SearchRecipe
from harness.search.regularizers.base import Regularizer
from harness.search.steps import Moment
from harness.spaces.base import NO_WAY_AROUND

if TYPE_CHECKING:
    from harness.spaces.blocks.supernet import Supernet

DECAYS = {"linear": "linear", "cosine": "cosine", "slow_cosine": "slow-cosine", None: "none"}
"""Our names of the published decays."""


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    fade = {"decay": DECAYS[meta["decay"]], "start": meta["skip_beta"], "length": meta["decay_max_epoch"]}
    return {"auxiliary-skip": fade}


def restore_recorded_state(net: Supernet, arrays: Arrays, prefix: str) -> None:
    """The factor that a recorded pass was made with, which need not be that of the first epoch."""
    if f"{prefix}/beta" in arrays:
        net.auxiliary_skip = float(arrays[f"{prefix}/beta"])


def read_recorded_factors(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    """The factor of a step, and every published schedule."""
    (own,) = (r for r in search.regularizers if isinstance(r, AuxiliarySkip))
    if prefix != "forward":
        key = f"{prefix}/beta"
        return {"skip factors": (search.net.auxiliary_skip, arrays[key])} if key in arrays else {}
    told = json.loads(str(arrays.get("beta_schedules", "{}")))
    if not told:
        return {}
    fades = [own.model_copy(update={"decay": DECAYS[None if name == "None" else name]}) for name in told]
    ours = [
        [fade.factor(epoch, 1) for epoch in range(len(betas))] for fade, betas in zip(fades, told.values(), strict=True)
    ]
    return {"skip factors of every schedule": (np.asarray(ours), np.asarray(list(told.values())))}


class AuxiliarySkip(Regularizer):
    """Add b times its input to every mixed operation, b falling from `start` to 0 over the search.

    Chu et al., DARTS-, ICLR 2021 (arXiv 2009.01027), equation 4: the benefit of a skip as a short cut is given to all
    operations alike, so that the skip among the candidates need not win for it. It is not part of the derived cell.
    On NAS-Bench-1Shot1, whose nodes have no skip operation, it is an adaptation.

    decay: how b falls, as in the published code: linearly (its default), by half a cosine, by a quarter of one, or not
    at all. length: epochs that it takes; None: those of the search. source: what is added, the input of the edge, or
    that of the cell on every edge, as the authors of A2M have it in theirs, for cells of one input.
    """

    name = "auxiliary-skip"
    paper = "Chu et al., ICLR 2021 (2009.01027)"
    asks = (NO_WAY_AROUND,)
    recipes: ClassVar = {"": SearchRecipe("Meituan-AutoML/DARTS-, its epochs alone", epochs=50)}
    methods: ClassVar = {"darts-minus": NamedUse()}
    records: ClassVar = {
        "dartsminus": Recorded(
            "darts-minus",
            read_recorded_fields,
            epochs=lambda meta: meta["decay_max_epoch"],
            quantities=read_recorded_factors,
            prepare=restore_recorded_state,
        ),
    }
    status = "conforms"
    neutral: ClassVar[dict[str, Any]] = {"start": 0}
    later = ("decay", "length", "source")
    start: float = Field(1.0, ge=0)
    decay: Literal["linear", "cosine", "slow-cosine", "none"] = "linear"
    length: int | None = Field(None, ge=1)
    source: Literal["edge", "cell"] = "edge"

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
