"""How records of the part `drnas` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from harness.core.lazy import F, torch
from harness.search.searchers.drnas import compute_divergence, make_pathwise_sampler
from harness.testing.conformance.recorded import Arrays, Meta, Recorded


def read_recorded_draws(arrays: Arrays, prefix: str) -> dict[str, list[Tensor]]:
    key = f"{prefix}/sample"
    return {"dirichlet": [torch.from_numpy(arrays[key])]} if key in arrays else {}


def read_recorded_derivatives(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    """The derivative of a recorded sample, and the divergences."""
    if prefix != "forward":
        return {}
    alpha = torch.from_numpy(arrays["pathwise/alpha"]).requires_grad_()
    sample = make_pathwise_sampler()(F.elu(alpha) + 1, torch.from_numpy(arrays["pathwise/sample"]))
    (slope,) = torch.autograd.grad(sample, alpha, torch.from_numpy(arrays["pathwise/grad_sample"]))
    return {
        "pathwise derivative": (slope, arrays["pathwise/grad_alpha"]),
        "divergence": (compute_divergence(search.alphas), arrays["forward/kl_per_edge"].sum()),
    }


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    prunes = meta["prune_before_step"] is not None
    return {
        "drnas": {"anchor": meta["reg_type"], "strength": meta["reg_scale"]},
        "partial-channels": {"k": meta["partial_channels"]},
        "progressive-pruning": {
            "kept": (meta["prune_keep"],) if prunes else (),
            "at": (meta["prune_before_step"],) if prunes else (),
        },
    }


RECORDS: Mapping[str, Recorded] = {
    "drnas": Recorded(
        "drnas-progressive",
        read_recorded_fields,
        draws=read_recorded_draws,
        epochs=lambda meta: meta["steps"],
        quantities=read_recorded_derivatives,
    )
}
"""By the name of the method in its records."""
