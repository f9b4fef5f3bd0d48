"""How records of the part `mean-shift` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.testing.conformance.recorded import Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    radius = {"epsilon": meta["eps"], "epsilon_start": meta["eps"]}
    return {"mean-shift": radius | {k: meta[k] for k in ("rounds", "samples", "bandwidth")}}


RECORDS: Mapping[str, Recorded] = {"msdarts": Recorded("ms-darts", read_recorded_fields)}
"""By the name of the method in its records."""
