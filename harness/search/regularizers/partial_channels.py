"""PC-DARTS: partial channel connections."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness.search.naming import Meta, Named, Recorded
from harness.search.regularizers.adversarial import recorded_fields as recorded_attack
from harness.search.regularizers.base import Regularizer


def recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    return {"partial-channels": {"k": meta["partial_channels"]}}


class PartialChannels(Regularizer):
    """Send 1/k of the channels through the mixed operation; the others pass by, and a shuffle in k groups mixes them.

    Xu et al., PC-DARTS, ICLR 2020 (arXiv 1907.05737), section 3.1. Edge normalisation: on NAS-Bench-1Shot1 the weights
    of a node's parents are what the published code uses for it; NAS-Bench-201 keeps every edge, and has none here.
    """

    name = "partial-channels"
    paper = "Xu et al., ICLR 2020 (1907.05737)"
    methods: ClassVar = {"pc-darts": Named()}
    records: ClassVar = {
        "pcdarts": Recorded("pc-darts", recorded_fields),
        "pcdarts_sdarts_adv": Recorded(
            "pc-darts + sdarts-adv", lambda meta: recorded_fields(meta) | recorded_attack(meta)
        ),
    }
    neutral: ClassVar[dict[str, Any]] = {"k": 1}
    status = "conforms"
    k: int = Field(4, ge=1)

    def supernet_options(self) -> dict[str, Any]:
        return {"partial_channels": self.k}
