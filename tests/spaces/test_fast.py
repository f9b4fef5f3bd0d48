"""The fast supernets are the readable ones: outputs, gradients, curvature and running statistics, in float64."""

import copy
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from harness.measures.hessian import compute_hessian
from harness.spaces.blocks.fused import average_pool
from tests.spaces.both import Both

SPACE_LIST = ["nasbench201", "nasbench1shot1.s1", "nasbench1shot1.s2", "nasbench1shot1.s3"]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"images": 1},
    {"partial_channels": 2},
    {"auxiliary": 0.5},
    {"partial_channels": 2, "auxiliary": 0.5, "own": True},
    {"dropped": 0.3},
]


def both(name: str, images: int = 3, **options: Any) -> Both:
    return Both(name, cells=1 if name == "nasbench201" else 3, batch=(6, images, 12, 8), **options)


@pytest.mark.parametrize("name", SPACE_LIST)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_same_numbers(name: str, options: dict[str, Any]) -> None:
    both(name, **options).assert_same_numbers()


@pytest.mark.parametrize("name", SPACE_LIST)
def test_same_curvature(name: str) -> None:
    pair = both(name)
    found = [compute_hessian(lambda mix, net=net: pair.loss(net, mix), pair.mix) for net in pair.nets]  # type: ignore[misc]
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", SPACE_LIST)
def test_state_is_the_readable_one_s(name: str) -> None:
    """Names and values: a checkpoint of one is a checkpoint of the other, and a copy stands for itself."""
    pair = both(name)
    readable, fast = pair.nets
    assert list(readable.state_dict()) == list(fast.state_dict())
    for key, value in readable.state_dict().items():
        assert torch.equal(value, fast.state_dict()[key]), key
    twin = copy.deepcopy(fast)
    before = fast(pair.x, pair.mix)
    with torch.no_grad():
        for weight in twin.parameters():
            weight.zero_()
    assert torch.equal(fast(pair.x, pair.mix), before)
    assert twin(pair.x, pair.mix).abs().max() == 0


class Computed(TorchDispatchMode):
    """The operations asked for that cost something, by their name and the values of their tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, ...]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name.startswith(("convolution", "max_pool", "avg_pool", "relu", "clamp_min", "threshold", "addmm")):
            values = (a.detach().numpy().tobytes() for a in args if isinstance(a, Tensor))
            self.calls.append((name, *values))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", SPACE_LIST)
def test_frozen_computes_nothing_twice(name: str) -> None:
    """With gradients at two mixes, of which every weight differs."""
    pair = both(name)
    with Computed() as computed:
        logits = pair.nets[1].frozen(pair.x)
        for mix in (pair.mix, [(0.9 * m + 0.01).detach().requires_grad_() for m in pair.mix]):
            torch.autograd.grad(F.cross_entropy(logits(mix), pair.y), mix)
    assert len(computed.calls) > 50
    assert len(set(computed.calls)) == len(computed.calls)


def test_frozen_leaves_the_network_alone() -> None:
    pair = both("nasbench201")
    for net in pair.nets:
        before = copy.deepcopy(net.state_dict())
        net.train()
        net.frozen(pair.x)(pair.mix)
        assert net.training
        assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_average_counts_pixels_inside_the_image() -> None:
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    torch.testing.assert_close(
        average_pool(x), F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False), rtol=1e-14, atol=1e-14
    )


@pytest.mark.parametrize("name", SPACE_LIST)
def test_readable_is_the_readable_network_and_ends(name: str) -> None:
    pair = both(name)
    readable, fast = pair.nets
    before = fast(pair.x, pair.mix)
    with fast.readable():
        assert torch.equal(fast(pair.x, pair.mix), readable(pair.x, pair.mix))  # bit for bit
    assert torch.equal(fast(pair.x, pair.mix), before)
