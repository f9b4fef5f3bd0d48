"""How records of the part `uniform-path` are replayed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.core.lazy import F, torch
from harness.testing.conformance.recorded import Arrays


def read_recorded_paths(arrays: Arrays, prefix: str) -> dict[str, list[Tensor]]:
    """The recorded operation of each choice, one after the other, as one-hot rows."""
    key = f"{prefix}/arch"
    if key not in arrays:
        return {}
    return {"paths": [read_recorded_path(arrays[key], arrays).flatten()]}


def read_recorded_path(operations: NDArray[np.int64], arrays: Arrays) -> Tensor:
    """Mixing weights [choices, options] of the operation of each choice."""
    return F.one_hot(torch.from_numpy(np.asarray(operations)), len(arrays["ops"])).double()
