"""The networks of DARTS' spaces: the fast one is the readable one, in outputs, gradients, curvature and statistics."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.measures.hessian import hessian
from harness.spaces.base import SPACES
from harness.spaces.blocks.build import build_supernet
from harness.spaces.blocks.supernet import Supernet
from harness.spaces.darts.depthwise import apart, depthwise, plain, together

SPACE_LIST = ["darts.s1", "darts.s2", "darts.s3", "darts.s4", "darts.full-none"]
OPTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in SPACE_LIST),
    ("darts.full", {"size": (12, 20)}),  # 3 by 5 pixels after two reductions
    ("darts.full", {"partial_channels": 2}),
    ("darts.s1", {"auxiliary": 0.5}),
    ("darts.s3", {"partial_channels": 2, "auxiliary": 0.5, "own": True}),
    ("darts.s4", {"partial_channels": 2, "own": True}),
    ("darts.s2", {"dropped": 0.3}),
]


class Pair:
    """Both networks with the same weights, a batch, and mixing weights with zeros among them."""

    def __init__(
        self, name: str, *, size: tuple[int, int] = (8, 12), auxiliary: float = 0, own: bool = False, **options: Any
    ) -> None:
        space = SPACES.find(name)()
        dropped = options.pop("dropped", 0.0)
        self.nets: list[Supernet] = []
        for implementation in ("readable", "fast"):
            net = build_supernet(
                space,
                space.presets["official"],
                channels=4,
                cells=4,
                classes=7,
                generator=torch.Generator().manual_seed(0),
                dtype=torch.float64,
                implementation=implementation,  # type: ignore[arg-type]
                auxiliary=auxiliary > 0,
                **options,
            )
            net.auxiliary_skip, net.path_dropout = auxiliary, dropped
            g = torch.Generator().manual_seed(2)
            net.draw = lambda _, make, g=g: make(g)  # type: ignore[misc]
            self.nets.append(net)
        g = torch.Generator().manual_seed(1)
        self.x = torch.randn(4, 3, *size, generator=g, dtype=torch.float64)
        self.y = torch.randint(0, 7, (4,), generator=g)
        cells = [self.nets[0].cells_of(t) for t in range(2)]
        shapes = [(count, *s) if own else s for count, s in zip(cells, space.alpha_shapes, strict=True)]
        self.mix = [torch.randn(*s, generator=g, dtype=torch.float64).softmax(-1) for s in shapes]
        self.mix[0][..., 1, 1] = 0  # a weight of zero has a gradient
        self.mix = [m.requires_grad_() for m in self.mix]

    def loss(self, net: Supernet, mix: list[Tensor]) -> Tensor:
        return F.cross_entropy(net(self.x, mix), self.y)

    def everything(self, net: Supernet) -> Iterator[Tensor]:
        for training in (True, True, False):
            net.train(training)
            yield net(self.x, self.mix)
            yield from torch.autograd.grad(self.loss(net, self.mix), [*self.mix, *net.parameters()])
        logits = net.frozen(self.x)
        for mix in (self.mix, [(0.9 * m + 0.01).detach().requires_grad_() for m in self.mix]):
            yield logits(mix)
            yield from torch.autograd.grad(F.cross_entropy(logits(mix), self.y), mix)
        with torch.no_grad():
            yield logits(self.mix)
        yield from net.buffers()


@pytest.mark.parametrize(("name", "options"), OPTIONS, ids=str)
def test_same_numbers(name: str, options: dict[str, Any]) -> None:
    pair = Pair(name, **options)
    readable, fast = (list(pair.everything(net)) for net in pair.nets)
    assert len(readable) == len(fast) > 100
    for a, b in zip(readable, fast, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["darts.s1", "darts.s2"])
def test_same_curvature(name: str) -> None:
    pair = Pair(name)
    found = [hessian(lambda mix, net=net: pair.loss(net, mix), pair.mix) for net in pair.nets]  # type: ignore[misc]
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-11)


def test_state_is_the_readable_one_s() -> None:
    """Names and values: a checkpoint of one is a checkpoint of the other, and a copy stands for itself."""
    pair = Pair("darts.s3")
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
    plain, skipping = (Pair("darts.s2", auxiliary=a).nets[1].state_dict() for a in (0.0, 0.5))
    assert {*skipping} - {*plain} == {key for key in skipping if key.startswith("auxiliaries.")}
    assert all(torch.equal(value, skipping[key]) for key, value in plain.items())


def test_candidates_are_convolutions() -> None:
    """Of 14 edges a cell, 8 of a reduction cell have a skip connection with weights, which is no candidate."""
    assert len(Pair("darts.s2").nets[0].candidates()) == 4 * 14
    assert len(Pair("darts.full").nets[0].candidates()) == 4 * 14 * 4


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
        for y in (depthwise(x, weight, dilation), plain(x, weight, dilation=dilation))
    ]
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-13)
    assert torch.autograd.gradgradcheck(lambda x, w: depthwise(x, w, dilation), (x[:1, :, :2, :2], weight))


def test_a_dilated_convolution_is_an_undilated_one_of_the_quarters() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, 8, 6, generator=g, dtype=torch.float64)
    for kernel in (3, 5):
        weight = torch.randn(4, 1, kernel, kernel, generator=g, dtype=torch.float64)
        quarters = plain(apart(x), weight, dilation=1)
        torch.testing.assert_close(together(quarters), plain(x, weight, dilation=2), rtol=1e-12, atol=1e-13)
