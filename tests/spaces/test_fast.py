"""The fast supernets are the readable ones: outputs, gradients, curvature and running statistics, in float64."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from harness.measures.hessian import hessian
from harness.spaces.base import SPACES
from harness.spaces.blocks.build import build_supernet
from harness.spaces.blocks.fused import average_pool
from harness.spaces.blocks.supernet import Supernet

SPACE_LIST = ["nasbench201", "nasbench1shot1.s1", "nasbench1shot1.s2", "nasbench1shot1.s3"]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"images": 1},
    {"parts": 2},
    {"auxiliary": 0.5},
    {"parts": 2, "auxiliary": 0.5, "own": True},
    {"dropped": 0.3},
]


class Pair:
    """Both networks with the same weights, a batch, and mixing weights with zeros among them."""

    def __init__(
        self,
        name: str,
        *,
        images: int = 3,
        parts: int = 1,
        auxiliary: float = 0,
        own: bool = False,
        dropped: float = 0,
    ) -> None:
        space = SPACES.find(name)()
        self.nets = [self._net(space, readable, images, parts) for readable in (True, False)]
        for net in self.nets:
            net.auxiliary_skip, net.path_dropout = auxiliary, dropped
        g = torch.Generator().manual_seed(1)
        self.x = torch.randn(6, images, 12, 8, generator=g, dtype=torch.float64)
        self.y = torch.randint(0, 7, (6,), generator=g)
        cells = (self.nets[0].mixed_cells,) if own else ()
        draws = [torch.randn(*cells, *s, generator=g, dtype=torch.float64) for s in space.alpha_shapes]
        self.mix = [d.softmax(-1) for d in draws]
        self.mix[0][..., 1, 1] = 0  # a weight of zero has a gradient
        self.mix = [m.requires_grad_() for m in self.mix]

    def _net(self, space: Any, readable: bool, images: int, parts: int) -> Supernet:
        net = build_supernet(
            space,
            space.presets["official"],
            channels=4,
            cells=1 if space.name == "nasbench201" else 3,
            classes=7,
            image_channels=images,
            generator=torch.Generator().manual_seed(0),
            dtype=torch.float64,
            implementation="readable" if readable else "fast",
            partial_channels=parts,
        )
        g = torch.Generator().manual_seed(2)
        net.draw = lambda _, make: make(g)
        return net

    def loss(self, net: Supernet, mix: list[Tensor]) -> Tensor:
        return F.cross_entropy(net(self.x, mix), self.y)

    def everything(self, net: Supernet) -> Iterator[Tensor]:
        for training in (True, True, False):
            net.train(training)
            yield net(self.x, self.mix)
            yield from torch.autograd.grad(self.loss(net, self.mix), [*self.mix, *net.parameters()])
        logits = net.frozen(self.x)
        yield logits(self.mix)
        yield from torch.autograd.grad(F.cross_entropy(logits(self.mix), self.y), self.mix)
        with torch.no_grad():
            yield logits(self.mix)
        yield from net.buffers()


@pytest.mark.parametrize("name", SPACE_LIST)
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_same_numbers(name: str, options: dict[str, Any]) -> None:
    pair = Pair(name, **options)
    readable, fast = (list(pair.everything(net)) for net in pair.nets)
    assert len(readable) == len(fast) > 100
    for a, b in zip(readable, fast, strict=True):
        torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", SPACE_LIST)
def test_same_curvature(name: str) -> None:
    pair = Pair(name)
    found = [hessian(lambda mix, net=net: pair.loss(net, mix), pair.mix) for net in pair.nets]  # type: ignore[misc]
    torch.testing.assert_close(found[1], found[0], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", SPACE_LIST)
def test_state_is_the_readable_one_s(name: str) -> None:
    """Names and values: a checkpoint of one is a checkpoint of the other, and a copy stands for itself."""
    pair = Pair(name)
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
    pair = Pair(name)
    with Computed() as computed:
        logits = pair.nets[1].frozen(pair.x)
        for mix in (pair.mix, [(0.9 * m + 0.01).detach().requires_grad_() for m in pair.mix]):
            torch.autograd.grad(F.cross_entropy(logits(mix), pair.y), mix)
    assert len(computed.calls) > 50
    assert len(set(computed.calls)) == len(computed.calls)


def test_frozen_leaves_the_network_alone() -> None:
    pair = Pair("nasbench201")
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
    pair = Pair(name)
    readable, fast = pair.nets
    before = fast(pair.x, pair.mix)
    with fast.readable():
        assert torch.equal(fast(pair.x, pair.mix), readable(pair.x, pair.mix))  # bit for bit
    assert torch.equal(fast(pair.x, pair.mix), before)
