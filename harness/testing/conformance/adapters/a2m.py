"""How records of the part `a2m` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.core.errors import HarnessError
from harness.search.searchers.a2m import FADING
from harness.testing.conformance.adapters.auxiliary_skip import read_recorded_factors, restore_recorded_state
from harness.testing.conformance.recorded import Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    own = {"rho": 0.0}
    if meta["sam"]:
        own = {"rho": meta["rho_alpha"], "epsilon": meta["epsilon"], "ascents": meta["k"], "path_rate": meta["arch_lr"]}
    skip: dict[str, Any] = {"source": "cell", "start": 0.0, "length": 1}
    if meta["auxiliary_skip"]:
        found = FADING.fullmatch(meta["auxiliary_decay"])
        if found is None:
            raise HarnessError(f"the auxiliary skip's decay {meta['auxiliary_decay']!r} is not replayed")
        skip |= {"start": float(found[1]), "length": int(found[2])}
    return {"a2m": own, "beta-decay": {"strength": 50.0 if meta["betadecay"] else 0.0}, "auxiliary-skip": skip}


RECORDS: Mapping[str, Recorded] = dict.fromkeys(
    ("a2m", "dartsminus_of_a2m"),
    Recorded(
        "a2m + beta-darts + darts-minus",
        read_recorded_fields,
        epochs=lambda meta: max(meta.get("epochs_of_steps", [1])) + 1,
        quantities=read_recorded_factors,
        prepare=restore_recorded_state,
    ),
)
"""By the name of the method in its records."""
