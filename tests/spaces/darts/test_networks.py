"""The networks of DARTS' spaces: the fast one is the readable one, in outputs, gradients, curvature and statistics."""

import copy
from typing import Any

import pytest
import torch
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.measures.hessian import compute_hessian
from harness.spaces.base import SPACES
from harness.spaces.blocks.build import build_supernet
from harness.spaces.blocks.saving import ConvolutionNorm
from harness.spaces.blocks.supernet import Supernet
from harness.spaces.darts.depthwise import convolve_depthwise, convolve_plainly, put_together, take_apart
from tests.spaces.both import Both

SPACE_LIST = ["darts.s1", "darts.s2", "darts.s3", "darts.s4", "darts.full-none", "darts.nasp"]
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in SPACE_LIST),
    ("darts.full", {"size": (12, 20)}),  # 3 by 5 pixels after two reductions
    ("darts.full", {"partial_channels": 2}),
    ("darts.s1", {"auxiliary": 0.5}),
    ("darts.s3", {"partial_channels": 2, "auxiliary": 0.5, "own": True}),
    ("darts.s4", {"partial_channels": 2, "own": True}),
    ("darts.s2", {"dropped": 0.3}),
]


def both(name: str, *, size: tuple[int, int] = (8, 12), **options: Any) -> Both:
    return Both(name, cells=4, batch=(4, 3, *size), **options)


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_same_numbers(name: str, options: dict[str, Any]) -> None:
    both(name, **options).assert_same_numbers()


@pytest.mark.parametrize("name", ["darts.s1", "darts.s2"])
def test_same_curvature(name: str) -> None:
    pair = both(name)
    found = [compute_hessian(lambda mix, net=net: pair.loss(net, mix), pair.mix) for net in pair.nets]  # type: ignore[misc]
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-11)


def kept(pair: Both, net: Supernet) -> int:
    """Bytes that a forward pass keeps for the backward pass."""
    storages: dict[int, torch.UntypedStorage] = {}

    def pack(x: torch.Tensor) -> torch.Tensor:
        storages[x.untyped_storage().data_ptr()] = x.untyped_storage()
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        pair.loss(net, pair.mix)
    return sum(s.nbytes() for s in storages.values())


@pytest.mark.parametrize(("name", "share"), [("darts.s1", 0.6), ("darts.s2", 0.55), ("darts.full", 0.45)])
def test_it_keeps_less_than_the_readable_one(name: str, share: float) -> None:
    pair = Both(name, cells=4, batch=(8, 3, 16, 16))
    readable, fast = (kept(pair, net.train()) for net in pair.nets)
    assert fast < share * readable


@pytest.mark.parametrize("scaled", [True, False])
def test_computing_a_convolution_again_changes_no_bit(scaled: bool) -> None:
    """A seed's rows are those that they were before it was computed again."""
    g = torch.Generator().manual_seed(0)
    x = torch.randn(8, 16, 8, 8, generator=g).contiguous(memory_format=torch.channels_last).requires_grad_()
    weight = torch.randn(16, 16, 1, 1, generator=g).contiguous(memory_format=torch.channels_last).requires_grad_()
    w = torch.rand(16, generator=g).requires_grad_() if scaled else None
    gradient = torch.randn(8, 16, 8, 8, generator=g).contiguous(memory_format=torch.channels_last)
    leaves = [x, weight, *([w] if w is not None else [])]
    kept, again = ((torch.zeros(16), torch.zeros(16)) for _ in range(2))
    y = F.batch_norm(F.conv2d(x, weight), *kept, w, None, training=True, momentum=1.0, eps=1e-5)
    z = ConvolutionNorm.apply(x, weight, w, again, 1e-5)
    found = [[out, *torch.autograd.grad(out, leaves, gradient), *s] for out, s in ((y, kept), (z, again))]
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_state_is_the_readable_one_s() -> None:
    """Names and values: a checkpoint of one is a checkpoint of the other, and a copy stands for itself."""
    pair = both("darts.s3")
    readable, fast = pair.nets
    assert list(readable.state_dict()) == list(fast.state_dict())
    assert all(torch.equal(value, fast.state_dict()[key]) for key, value in readable.state_dict().items())
    twin = copy.deepcopy(fast)
    before = fast(pair.x, pair.mix)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.zero_()
    assert torch.equal(fast(pair.x, pair.mix), before)
    assert twin(pair.x, pair.mix).abs().max() == 0


def test_auxiliary_skips_leave_the_other_weights_alone() -> None:
    plain, skipping = (both("darts.s2", auxiliary=a).nets[1].state_dict() for a in (0.0, 0.5))
    assert {*skipping} - {*plain} == {key for key in skipping if key.startswith("auxiliaries.")}
    assert all(torch.equal(value, skipping[key]) for key, value in plain.items())


def test_candidates_are_convolutions() -> None:
    """Of 14 edges a cell, 8 of a reduction cell have a skip connection with weights, which is no candidate."""
    assert len(both("darts.s2").nets[0].candidates()) == 4 * 14
    assert len(both("darts.full").nets[0].candidates()) == 4 * 14 * 4


def test_a_network_too_short_is_explained() -> None:
    space = SPACES.find("darts.s2")()
    with pytest.raises(HarnessError, match=r"a network of darts\.s2 needs at least 3 cells, not 2: set"):
        build_supernet(space, space.presets["fixed"], channels=4, cells=2, classes=10)


@pytest.mark.parametrize("kernel", [3, 5])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize("size", [(8, 6), (2, 2), (5, 3)])
def test_depthwise_gradients_are_those_of_torch(kernel: int, dilation: int, size: tuple[int, int]) -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, *size, generator=g, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(4, 1, kernel, kernel, generator=g, dtype=torch.float64, requires_grad=True)
    found = [
        torch.autograd.grad(y.sin().sum(), (x, weight))
        for y in (convolve_depthwise(x, weight, dilation), convolve_plainly(x, weight, dilation=dilation))
    ]
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)
    assert torch.autograd.gradgradcheck(lambda x, w: convolve_depthwise(x, w, dilation), (x[:1, :, :2, :2], weight))


def test_a_dilated_convolution_is_an_undilated_one_of_the_quarters() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 8, 6, generator=g, dtype=torch.float64)
    for kernel in (3, 5):
        weight = torch.randn(4, 1, kernel, kernel, generator=g, dtype=torch.float64)
        quarters = convolve_plainly(take_apart(x), weight, dilation=1)
        torch.testing.assert_close(
            put_together(quarters), convolve_plainly(x, weight, dilation=2), rtol=1e-12, atol=1e-13
        )
