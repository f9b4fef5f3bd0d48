"""Hessians through convolutions with constant kernels, beside PyTorch's own second derivatives."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from harness.measures.constant_kernels import ConstantKernel, ConstantKernels
from harness.measures.hessian import ROWS, compute_hessian, differentiate_vector, flatten_tensors, symmetrize
from tests.spaces.both import Both

Loss = Callable[[list[Tensor]], Tensor]
SPACES = [
    ("nasbench201", {}),
    # shapes at which a transposed convolution rounds otherwise than PyTorch's gradient of a convolution
    ("nasbench201", {"channels": 3, "batch": (8, 1, 12, 12)}),
    ("nasbench201", {"channels": 5, "batch": (8, 3, 12, 12)}),
    ("nasbench1shot1.s1", {"partial_channels": 2}),
    ("nasbench1shot1.s3", {"auxiliary": 0.5}),
    ("darts.s2", {}),
    ("darts.s4", {}),
]


def hessian_of_pytorch(loss: Loss, point: list[Tensor]) -> Tensor:
    leaves = [p.detach().clone().requires_grad_() for p in point]
    slopes = flatten_tensors(torch.autograd.grad(loss(leaves), leaves, create_graph=True))
    return symmetrize(differentiate_vector(slopes, leaves), 0.0)


def readable(name: str, options: dict[str, Any], dtype: torch.dtype) -> tuple[Loss, list[Tensor]]:
    """The loss of a readable network in train mode as a function of its mixing weights, and these."""
    given: dict[str, Any] = {"cells": {"nasbench201": 1, "darts.s4": 4}.get(name, 3), "batch": (4, 3, 12, 8)}
    pair = Both(name, **given | options)
    net, x = pair.nets[0].to(dtype), pair.x.to(dtype)
    net.draw = lambda _, make: make(torch.Generator().manual_seed(2))  # the same noise each time
    return lambda mix: F.cross_entropy(net(x, mix), pair.y), [m.detach().to(dtype) for m in pair.mix]


@pytest.mark.parametrize(("name", "options"), SPACES, ids=str)
def test_no_bit_of_the_hessian_differs(name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    loss, point = readable(name, options, torch.float32)
    monkeypatch.setattr(ConstantKernel, "apply", calls := Counted(ConstantKernel.apply))
    assert torch.equal(compute_hessian(loss, point), hessian_of_pytorch(loss, point))
    assert calls.count > 10


@pytest.mark.parametrize(("name", "options"), SPACES, ids=str)
def test_rows_in_batches_are_the_rows(name: str, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    loss, point = readable(name, options, torch.float64)
    exact = hessian_of_pytorch(loss, point)
    monkeypatch.setattr(torch.autograd, "grad", passes := Counted(torch.autograd.grad))
    found = compute_hessian(loss, point, batched=True)
    assert passes.count == 1 + -(-len(exact) // ROWS)
    assert (found - exact).abs().max() <= 1e-12 * exact.abs().max()


@pytest.mark.parametrize(
    ("shape", "kernel", "settings"),
    [
        ((2, 3, 5, 4), (6, 3, 3, 3), {"padding": 1}),
        ((2, 4, 6, 5), (8, 2, 3, 3), {"stride": 2, "padding": 1, "groups": 2}),
        ((2, 4, 7, 7), (4, 1, 3, 3), {"padding": 2, "dilation": 2, "groups": 4}),
        ((2, 2, 6, 6), (3, 2, 1, 3), {"stride": (1, 2), "padding": (0, 1)}),
    ],
    ids=str,
)
def test_convolutions_differentiate_as_pytorchs(shape: Any, kernel: Any, settings: dict[str, Any]) -> None:
    g = torch.Generator().manual_seed(0)
    x, w, v = (torch.randn(*s, generator=g, dtype=torch.float64) for s in (shape, kernel, shape))

    def slopes(x: Tensor) -> Tensor:
        (found,) = torch.autograd.grad(F.conv2d(x, w, **settings).pow(3).sum(), x, create_graph=True)
        return found

    for differentiated in (slopes, lambda x: torch.autograd.grad((slopes(x) * v).sum(), x)[0]):
        theirs = differentiated(x.clone().requires_grad_())
        with ConstantKernels([]):
            ours = differentiated(x.clone().requires_grad_())
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_other_ways_to_call_a_convolution_are_pytorchs() -> None:
    x, w = torch.randn(2, 4, 4, dtype=torch.float64, requires_grad=True), torch.randn(3, 2, 3, 3, dtype=torch.float64)
    for settings in ({"stride": [2, 2]}, {"stride": (2,)}, {"padding": "same"}, {"padding": [1, 1]}):
        for images in (x, x[None]):
            with ConstantKernels([]):
                found = F.conv2d(images, w, **settings)  # type: ignore[arg-type]
            assert torch.equal(found, F.conv2d(images, w, **settings))  # type: ignore[arg-type]
            assert torch.autograd.grad(found.sum(), x)[0].any()


def test_kernels_that_are_computed_or_searched_stay_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    g = torch.Generator().manual_seed(0)
    x, w, a = (torch.randn(*s, generator=g, dtype=torch.float64) for s in ((2, 2, 4, 4), (2, 2, 3, 3), (2, 2, 1, 1)))

    def loss(point: list[Tensor]) -> Tensor:
        own = F.conv2d(x * point[0].sum(), point[0])
        return F.conv2d(F.conv2d(own, w * point[0].exp(), padding=1), w, padding=1).pow(3).mean()

    monkeypatch.setattr(ConstantKernel, "apply", calls := Counted(ConstantKernel.apply))
    torch.testing.assert_close(compute_hessian(loss, [a]), hessian_of_pytorch(loss, [a]), rtol=1e-12, atol=1e-12)
    assert calls.count == 1


class Counted:
    """A function that counts its calls."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function, self.count = function, 0

    def __call__(self, *given: Any, **options: Any) -> Any:
        self.count += 1
        return self.function(*given, **options)
