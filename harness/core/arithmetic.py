"""On what and in which numbers torch computes: device, threads, precision."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from harness.core.errors import HarnessError

if TYPE_CHECKING:
    import torch

Precision = Literal["fp32", "tf32", "bf16"]


@contextmanager
def use_threads(count: int) -> Iterator[None]:
    """Let torch use so many threads while the block runs: sums are taken in another order on another number."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def use_one_thread() -> AbstractContextManager[None]:
    """Let torch use one thread while the block runs: as fast as two for networks this small, and reproducible."""
    return use_threads(1)


@contextmanager
def use_precision(precision: Precision, device: torch.device) -> Iterator[None]:
    """Compute in this precision while the block runs.

    fp32: float32, also where PyTorch would round the inputs of convolutions to TensorFloat-32 by its own default.
    tf32: that rounding, on CUDA devices. bf16: bfloat16 where PyTorch's autocast has it, weights and sums in float32.
    """
    import torch

    backends: tuple[Any, ...] = torch.backends.cuda.matmul, torch.backends.cudnn
    before = [b.allow_tf32 for b in backends]
    for backend in backends:
        backend.allow_tf32 = precision == "tf32"
    try:
        # without the cache, which would keep rounded weights from before the optimizer's step
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False):
            yield
    finally:
        for backend, value in zip(backends, before, strict=True):
            backend.allow_tf32 = value


def check_precision(precision: Precision, device: str) -> None:
    """An error where the device does not compute in it."""
    if precision == "tf32" and not device.startswith("cuda"):
        raise HarnessError(f"precision 'tf32' is there on CUDA devices alone, not on {device!r}: choose fp32 or bf16")


def resolve_device(name: str) -> str:
    """The device of --device auto|cpu|cuda:N; an error where it is not there."""
    import torch

    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return "cuda:0" if available else "cpu"
    if name == "cpu":
        return name
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number or "0").isdigit():
        raise HarnessError(f"unknown device {name!r}: choose auto, cpu or cuda:N")
    if int(number or 0) >= available:
        raise HarnessError(f"device {name!r} is not there: this machine has {available} CUDA devices")
    return f"cuda:{number or 0}"


def count_default_jobs(device: str) -> int:
    """One single-threaded process a core, as many as the system lets this process use; one on an accelerator."""
    if device != "cpu":
        return 1
    from joblib import cpu_count

    return int(cpu_count())
