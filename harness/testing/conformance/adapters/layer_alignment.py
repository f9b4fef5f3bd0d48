"""How records of the part `layer-alignment` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from harness.measures.alignment import compute_layer_alignment
from harness.search.regularizers.layer_alignment import differentiate_agreement
from harness.testing.conformance.recorded import Arrays, Recorded


def read_recorded_agreement(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    """The cells' agreement of recorded slopes, and the directions that raise it."""
    key = f"{prefix}/cell_grads"
    shape = (-1, *search.alphas[0].shape)
    slopes = torch.from_numpy(arrays[key]).reshape(shape)
    (direction,) = differentiate_agreement({0: slopes}).values()
    total = arrays.get(f"{prefix}/correlation", arrays.get(f"{prefix}/correlation_train"))
    unit = direction / torch.linalg.vector_norm(direction)
    recorded = torch.from_numpy(arrays[f"{prefix}/perturbations"]).reshape(shape)
    return {
        "agreement of the cells": (compute_layer_alignment(slopes), total),
        "its direction": (unit, recorded / torch.linalg.vector_norm(recorded)),
    }


RECORDS: Mapping[str, Recorded] = {
    "lambda_darts": Recorded(
        "lambda-darts",
        lambda meta: {"layer-alignment": {"strength": meta["lambda_"], "distance": meta["epsilon_0"]}},
        epochs=lambda meta: meta["total_epochs"],
        quantities=read_recorded_agreement,
    )
}
"""By the name of the method in its records."""
