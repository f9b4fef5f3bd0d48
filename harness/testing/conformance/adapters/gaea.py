"""How records of the part `gaea` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harness.testing.conformance.recorded import Arrays, Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    fields = {
        "rate": meta["arch_lr"],
        "floor": meta["clamp_min"],
        "entropy": meta["entropic_reg"],
        "clip": meta["arch_grad_clip"],
        "zero": True,
    }
    return {"gaea": fields | ({"edge_rate": meta["edge_lr"]} if meta["learn_edges"] else {})}


def read_recorded_logits(values: Tensor, arrays: Arrays) -> Tensor:
    edges = torch.from_numpy(arrays["init/edge_weights"])
    return values.log() + (edges.log()[:, None] if any(key.endswith("grad_edges") for key in arrays) else 0.0)


def read_recorded_values(logits: Tensor, meta: Meta) -> Tensor:
    mix = logits.exp()
    return mix / mix.sum(dim=-1, keepdim=True) if meta["learn_edges"] else mix


def read_recorded_edges(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    key = f"{prefix}/edge_weights_after"
    return {"edge weights": (search.alphas[0].exp().sum(dim=-1), arrays[key])} if key in arrays else {}


RECORDS: Mapping[str, Recorded] = {
    "gaea_edarts": Recorded(
        "gaea",
        read_recorded_fields,
        epochs=lambda meta: meta["total_epochs"],
        logits=read_recorded_logits,
        values=read_recorded_values,
        quantities=read_recorded_edges,
    )
}
"""By the name of the method in its records."""
