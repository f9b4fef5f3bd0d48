"""The network of one architecture, as papers train it to judge the architecture: what it is asked for, and its size."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.core.streams import Make
from harness.spaces.base import Architecture, Space
from harness.spaces.blocks.initial import allocate_network, initialize_network


class Derived(nn.Module, ABC):
    """Base of the networks of single architectures."""

    drop_path: float = 0.0
    """Probability of dropping an image's output of an operation that is no identity, in train mode."""
    draw: Callable[[str, Make], Tensor]
    """Where random numbers of a forward pass come from, by the name of their stream."""

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Logits [batch, classes] of images [batch, channels, height, width], and in train mode those of the auxiliary
        classifier, if there is one."""

    def dropped(self, x: Tensor) -> Tensor:
        """An operation's output after drop-path: zero for some images, scaled up for the others."""
        if not (self.training and self.drop_path):
            return x
        count = len(x)
        kept = self.draw("drop-path", lambda g: torch.rand(count, generator=g)) >= self.drop_path
        return x * (kept.to(x) / (1 - self.drop_path)).view(-1, 1, 1, 1)


def build_derived(
    space: Space,
    architecture: Architecture,
    *,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    **sizes: Any,
) -> Derived:
    """The architecture's network with initial weights from `generator`.

    sizes: channels, cells, classes, shape (channels, height and width of an image), auxiliary.
    """
    net = build_on_meta(space, architecture, **sizes)
    allocate_network(net)
    initialize_network(net, generator)
    return net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def measure_size(space: Space, architecture: Architecture, **sizes: Any) -> tuple[int, int]:
    """(weights, multiply-adds of one image) of the architecture's network, without an auxiliary classifier.

    Counted as papers do: weights with those of batch norms; multiply-adds of convolutions and linear layers alone.
    """
    net = build_on_meta(space, architecture, auxiliary=False, **sizes).eval()
    net.draw = lambda _, make: make(torch.Generator()).to("meta")
    found = 0

    def count(module: nn.Module, _: Any, out: Tensor) -> None:
        nonlocal found
        if isinstance(module, nn.Conv2d):
            found += module.weight[0].numel() * out[0].numel()
        elif isinstance(module, nn.Linear):
            found += module.weight.numel()

    for module in net.modules():
        module.register_forward_hook(count)
    with torch.no_grad():
        net(torch.empty(1, *sizes["shape"], device="meta"))
    return sum(w.numel() for w in net.parameters()), found


def build_on_meta(space: Space, architecture: Architecture, **sizes: Any) -> Derived:
    """The network without weights: building draws nothing from the global random state."""
    networks = space.networks()
    if networks.derived is None:
        raise HarnessError(
            f"space {space.name} names no network to train one architecture with (Networks.derived): ask a table of it"
        )
    if sizes.get("cells", space.least_cells) < space.least_cells:
        raise HarnessError(
            f"a network of {space.name} needs at least {space.least_cells} cells, not {sizes['cells']}: set "
            "recipe.cells"
        )
    with torch.device("meta"):
        net: Derived = networks.derived(architecture, **sizes)
    return net
