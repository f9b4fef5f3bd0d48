"""In which numbers a search is trained."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch

from harness.errors import HarnessError

Precision = Literal["fp32", "tf32", "bf16"]


@contextmanager
def arithmetic(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute in this precision while the block runs.

    fp32: float32, also where PyTorch would round the inputs of convolutions to TensorFloat-32 by its own default.
    tf32: that rounding, on CUDA devices. bf16: bfloat16 where PyTorch's autocast has it, weights and sums in float32.
    """
    backends: tuple[Any, ...] = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [b.allow_tf32 for b in backends]
    for backend in backends:
        backend.allow_tf32 = precision == "tf32"
    try:
        # without the cache, which would keep rounded weights from before the optimiser's step
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False):
            yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value


def check_precision(precision: Precision, device: str) -> None:
    """An error where the device does not compute in it."""
    if precision == "tf32" and not device.startswith("cuda"):
        raise HarnessError(f"precision 'tf32' is there on CUDA devices alone, not on {device!r}: choose fp32 or bf16")
