"""How records of the part `adversarial` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.testing.conformance.adapters.random_smoothing import read_recorded_radius
from harness.testing.conformance.recorded import Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    attack = {"steps": meta.get("pgd_steps", 7), "random_start": meta.get("pgd_random_start", False)}
    return {"adversarial": read_recorded_radius(meta) | attack}


RECORDS: Mapping[str, Recorded] = {"sdarts_adv": Recorded("sdarts-adv", read_recorded_fields)}
"""By the name of the method in its records."""
