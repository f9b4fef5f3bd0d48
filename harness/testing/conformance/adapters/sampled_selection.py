"""How records of the part `sampled-selection` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from harness.search.regularizers.sampled_selection import measure_shared_accuracies
from harness.spaces.blocks.mix import use_evaluation_mode
from harness.testing.conformance.adapters.uniform_path import read_recorded_path, read_recorded_paths
from harness.testing.conformance.recorded import Arrays, Recorded


def read_recorded_selection(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    """The recorded selection, which follows the last step."""
    if f"step{int(prefix.removeprefix('step')) + 1}/x" in arrays if prefix.startswith("step") else True:
        return {}
    batches = [
        (torch.from_numpy(x), torch.from_numpy(y)) for x, y in zip(arrays["select/x"], arrays["select/y"], strict=True)
    ]
    mixes = [[read_recorded_path(row, arrays)] for row in arrays["select/archs"]]
    with use_evaluation_mode(search.net):
        logits = [search.net(batches[i % len(batches)][0], mix) for i, mix in enumerate(mixes)]
    scores = measure_shared_accuracies(search, mixes, batches, running=True)
    return {
        "logits of the selection": (torch.stack(logits), arrays["select/logits"]),
        "accuracies of the selection": (np.asarray(scores, np.float32), arrays["select/acc"]),
        "selected": (int(np.argmax(scores)), arrays["select/best_index"]),
    }


RECORDS: Mapping[str, Recorded] = {
    "randomnas": Recorded("random-nas", draws=read_recorded_paths, quantities=read_recorded_selection)
}
"""By the name of the method in its records."""
