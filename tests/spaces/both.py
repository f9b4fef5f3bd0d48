"""A space's readable network and its fast one, side by side, in float64."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.spaces.base import SPACES
from harness.spaces.blocks.build import build_supernet
from harness.spaces.blocks.supernet import Supernet


class Both:
    """The networks with the same weights, a batch, and mixing weights with zeros among them.

    nets: readable, fast. batch: shape of the images. auxiliary: factor of the auxiliary skips. own: mixing weights of
    its own for each cell. dropped: probability that a path is left out. options: of `build_supernet`.
    """

    def __init__(
        self,
        name: str,
        *,
        cells: int,
        batch: tuple[int, int, int, int],
        auxiliary: float = 0,
        own: bool = False,
        dropped: float = 0,
        channels: int = 4,
        **options: Any,
    ) -> None:
        space = SPACES.find(name)()
        self.nets: list[Supernet] = []
        for implementation in ("readable", "fast"):
            net = build_supernet(
                space,
                space.presets["official"],
                channels=channels,
                cells=cells,
                classes=7,
                image_channels=batch[1],
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
        self.x = torch.randn(*batch, generator=g, dtype=torch.float64)
        self.y = torch.randint(0, 7, batch[:1], generator=g)
        shapes = [(self.nets[0].cells_of(t), *s) if own else s for t, s in enumerate(space.alpha_shapes)]
        self.mix = [torch.randn(*s, generator=g, dtype=torch.float64).softmax(-1) for s in shapes]
        self.mix[0][..., 1, 1] = 0  # a weight of zero has a gradient
        self.mix = [m.requires_grad_() for m in self.mix]

    def loss(self, net: Supernet, mix: list[Tensor]) -> Tensor:
        return F.cross_entropy(net(self.x, mix), self.y)

    def everything(self, net: Supernet) -> Iterator[Tensor]:
        """Outputs and gradients in both modes and with frozen weights, at two mixes, then the buffers."""
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

    def assert_same_numbers(self) -> None:
        readable, fast = (list(self.everything(net)) for net in self.nets)
        assert len(readable) == len(fast) > 100
        for a, b in zip(readable, fast, strict=True):
            torch.testing.assert_close(b, a, rtol=1e-10, atol=1e-12)
