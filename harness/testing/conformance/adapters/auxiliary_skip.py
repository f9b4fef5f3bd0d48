"""How records of the part `auxiliary-skip` are replayed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.search.regularizers.auxiliary_skip import DECAYS, AuxiliarySkip
from harness.spaces.blocks.supernet import Supernet
from harness.testing.conformance.recorded import Arrays, Meta, Recorded


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


RECORDS: Mapping[str, Recorded] = {
    "dartsminus": Recorded(
        "darts-minus",
        read_recorded_fields,
        epochs=lambda meta: meta["decay_max_epoch"],
        quantities=read_recorded_factors,
        prepare=restore_recorded_state,
    ),
}
"""By the name of the method in its records."""
