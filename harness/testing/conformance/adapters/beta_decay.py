"""How records of the part `beta-decay` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from harness.search.regularizers.beta_decay import average_logsumexp
from harness.testing.conformance.recorded import Arrays, Recorded


def read_recorded_penalty(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    if prefix != "forward":
        return {}
    mean = average_logsumexp(search.alphas)
    (slope,) = torch.autograd.grad(mean, search.alphas)
    return {
        "penalty": (mean, arrays["forward/beta_loss"]),
        "its gradient": (slope, arrays["forward/grad_beta_loss"]),
    }


RECORDS: Mapping[str, Recorded] = {
    "beta_darts": Recorded("beta-darts", epochs=lambda meta: 7, quantities=read_recorded_penalty)
}
"""By the name of the method in its records."""
