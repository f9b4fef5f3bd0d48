"""How records of the part `gaea-gumbel` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.testing.conformance.adapters import gaea
from harness.testing.conformance.adapters.gumbel import read_recorded_draws
from harness.testing.conformance.recorded import Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    (fields,) = gaea.read_recorded_fields(meta).values()
    warmup = {"warmup": meta["warmup_epochs"]}
    return {"gaea-gumbel": fields | warmup | {"temperature": meta["max_tau"], "temperature_end": meta["min_tau"]}}


RECORDS: Mapping[str, Recorded] = {
    "gaea_egdas": Recorded(
        "gaea-gdas",
        read_recorded_fields,
        epochs=lambda meta: meta["total_epochs"],
        draws=read_recorded_draws,
        logits=lambda values, arrays: values.log(),
        values=lambda logits, meta: logits.exp(),
    )
}
"""By the name of the method in its records."""
