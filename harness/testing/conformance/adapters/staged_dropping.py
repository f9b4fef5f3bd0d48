"""How records of the part `staged-dropping` are replayed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harness.spaces.blocks.mix import SKIP_DROPOUT
from harness.testing.conformance.recorded import Arrays, Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    """One stage, of which records say that logits begin to move in its epoch 10."""
    fields = {"kept": (), "dropout": (meta["dropout"],), "clip": meta["arch_grad_clip"]}
    return {"staged-dropping": fields | {"frozen": 10 / meta["total_epochs"]}}


def read_recorded_masks(arrays: Arrays, prefix: str) -> dict[str, list[Tensor]]:
    """What is drawn for each skip in the order of the calls: kept where it is above any probability."""
    key = f"{prefix.split('/', maxsplit=1)[0]}/dropout_call_order"
    names = json.loads(str(arrays[key])) if key in arrays else []
    masks = [arrays.get(f"{prefix}/mask/{name}") for name in names]
    return {SKIP_DROPOUT: [torch.from_numpy(mask).double() for mask in masks if mask is not None]}


def read_recorded_schedule(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    key = f"{prefix}/p"
    return {"dropout of skips": (search.net.skip_dropout, arrays[key])} if key in arrays else {}


RECORDS: Mapping[str, Recorded] = {
    "pdarts": Recorded(
        "p-darts",
        read_recorded_fields,
        epochs=lambda meta: meta["total_epochs"],
        draws=read_recorded_masks,
        quantities=read_recorded_schedule,
        renamed=lambda name: name.replace("._ops.", ".m_ops.").replace(".m_ops.", ".cell_ops.", 1),
    )
}
"""By the name of the method in its records."""
