"""How records of the part `gumbel` are replayed."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from harness.search.searchers.gumbel import invert_gumbel_noise
from harness.testing.conformance.recorded import Arrays, Meta, Recorded, read_numbered


def read_recorded_draws(arrays: Arrays, prefix: str) -> dict[str, list[Tensor]]:
    """The noise of a recorded pass: one draw for all cells, or cell by cell, gumbel/CELL/TENSOR."""
    if f"{prefix}/gumbel" in arrays:
        return {"gumbel": [invert_gumbel_noise(torch.from_numpy(arrays[f"{prefix}/gumbel"]))]}
    cells: list[list[Tensor]] = []
    while found := read_numbered(arrays, f"{prefix}/gumbel/{len(cells)}"):
        cells.append(found)
    return {"gumbel": [invert_gumbel_noise(torch.stack(tensor)) for tensor in zip(*cells, strict=True)]}


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, object]]:
    return {
        "gumbel": {
            "temperature": meta["tau_max"],
            "temperature_end": meta["tau_min"],
            "clip": meta.get("arch_grad_clip"),
            **({"draws": "cell", "others": "omitted", "reaches_end": False} if "arch_grad_clip" in meta else {}),
        }
    }


RECORDS: Mapping[str, Recorded] = {
    "gdas": Recorded(
        "gdas",
        read_recorded_fields,
        lambda meta: {"nesterov": meta["nesterov"]},
        lambda meta: meta["epochs"],
        read_recorded_draws,
    )
}
"""By the name of the method in its records."""
