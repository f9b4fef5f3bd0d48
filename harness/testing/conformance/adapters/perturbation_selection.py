"""How records of the part `perturbation-selection` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.search.regularizers.alpha_warmup import NEVER
from harness.testing.conformance.recorded import Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    criterion = {"acc": "accuracy", "loss": "loss"}[meta["proj_crit"]]
    return {
        "perturbation-selection": {
            "tune_epochs": meta["proj_intv"],
            "rate": meta["lr_in_projection"],
            "criterion": criterion,
        },
        "alpha-warmup": {"length": NEVER if meta["search_method"].startswith("blank") else 0},
    }


RECORDS: Mapping[str, Recorded] = {"darts_pt": Recorded("darts-pt-fixed", read_recorded_fields)}
"""By the name of the method in its records."""
