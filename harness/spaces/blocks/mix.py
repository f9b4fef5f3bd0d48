"""Mixing weights, and what a network is put into while it is looked at with them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from harness.core.lazy import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

Mix = Sequence["Tensor"]
Evaluated = Literal["all", "drawn", "bare"]
"""What a choice computes: all of its operations; those whose mixing weight is not zero; the largest alone, to which the
weights of the others are added as they are, without their operations (what GDAS' code for NAS-Bench-201 does)."""
NOTHING = 1e-10
"""A mixing weight up to which an operation counts as not drawn."""
Listener = Callable[["Tensor", int, "Tensor"], None]
"""Told of an operation: the mixing weights of its choice, where they lie in the mix, its place among them, and its
output."""
SKIP_DROPOUT = "skip-dropout"
"""The stream of what is drawn for skips."""


def convert_to_mix(rows: Sequence[Any], like: Sequence[Tensor]) -> list[Tensor]:
    """Arrays of a space's shapes as mixing weights with the type and device of these tensors."""
    return [torch.as_tensor(r).to(t) for r, t in zip(rows, like, strict=True)]


def make_one_hot(rows: Tensor) -> Tensor:
    """One at the largest entry of each row, zero elsewhere. rows: [choices, options]."""
    return torch.zeros_like(rows).scatter_(-1, rows.argmax(dim=-1, keepdim=True), 1.0)


@contextmanager
def use_evaluation_mode(net: nn.Module) -> Iterator[None]:
    """The network in eval mode while the block runs, then in the mode that it was in."""
    training = net.training
    net.eval()
    try:
        yield
    finally:
        net.train(training)


@contextmanager
def keep_buffers(net: nn.Module) -> Iterator[None]:
    """Batch-norm statistics as they were, once the block has run."""
    kept = [b.clone() for b in net.buffers()]
    try:
        yield
    finally:
        with torch.no_grad():
            for buffer, value in zip(net.buffers(), kept, strict=True):
                buffer.copy_(value)
