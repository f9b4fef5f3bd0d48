"""The arithmetic a search runs with, named: `official` as published, `fixed` without the published bugs.

Every difference between the two is a field here, so the list is complete by construction.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict

from harness.core.errors import HarnessError
from harness.spaces.base import Space
from harness.spaces.blocks.supernet import Supernet, initialise
from harness.spaces.nasbench1shot1.space import NASBench1Shot1
from harness.spaces.nasbench201.space import NASBench201

PresetName = Literal["official", "fixed"]


class Preset(BaseModel):
    """One set of choices.

    bn_momentum: PyTorch momentum of batch norm in the 1Shot1 supernet. Published: 0.997, TensorFlow's number for
        what PyTorch calls 0.003, so the running statistics are those of the last batch and every eval-mode pass
        (validation accuracy, the SDARTS attack) depends on it. Fixed: PyTorch's default of 0.1; a literal 0.003
        would leave the statistics at their initial values for hundreds of steps.
    pool_padding: padding of the 1Shot1 supernet's stride-2 pooling. Published: 1, so 32 pixels become 17 and 9
        where NAS-Bench-101 has 16 and 8. Fixed: 0.
    clip_counts_alpha: the NAS-Bench-201 code clips the norm of weight and architecture gradients together, because
        its architecture tensor is among `model.parameters()`; weights are clipped harder than stated. Fixed: weights
        only.
    finite_difference_moves_bn: the two finite-difference passes of second-order DARTS move the network's batch-norm
        running statistics (published), or leave them (fixed).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    bn_momentum: float = 0.1
    pool_padding: int = 0
    clip_counts_alpha: bool = False
    finite_difference_moves_bn: bool = False


FIXED = Preset()


def preset(space: Space, name: PresetName) -> Preset:
    """The named preset for this space."""
    if name == "fixed":
        return FIXED
    if isinstance(space, NASBench1Shot1):
        return Preset(bn_momentum=0.997, pool_padding=1, finite_difference_moves_bn=True)
    return Preset(clip_counts_alpha=True, finite_difference_moves_bn=True)


def build_supernet(
    space: Space,
    choices: Preset,
    *,
    channels: int,
    cells: int,
    classes: int,
    image_channels: int = 3,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    readable: bool = False,
    **options: Any,
) -> Supernet:
    """The space's one-shot network with initial weights from `generator` (None: left uninitialised, for loading).

    cells: mixed cells a stage for NAS-Bench-201, cells in all for NAS-Bench-1Shot1. options: those of the
    regularizers (`Regularizer.supernet_options`). readable: the network that is one module an operation, which the
    fast one must agree with, in place of the fast one.
    """
    if channels % options.get("partial_channels", 1):
        parts = options["partial_channels"]
        raise HarnessError(f"{channels} channels cannot be divided into {parts} parts: set supernet.channels or k")
    make: Callable[..., Supernet]
    extra: dict[str, Any] = {}
    if isinstance(space, NASBench1Shot1):
        from harness.spaces.nasbench1shot1.fast import FastNASBench1Shot1Supernet
        from harness.spaces.nasbench1shot1.supernet import NASBench1Shot1Supernet

        make = NASBench1Shot1Supernet if readable else FastNASBench1Shot1Supernet
        extra = {
            "choice_nodes": space.choice_nodes(),
            "bn_momentum": choices.bn_momentum,
            "pool_padding": choices.pool_padding,
        }
    elif isinstance(space, NASBench201):
        from harness.spaces.nasbench201.fast import FastNASBench201Supernet
        from harness.spaces.nasbench201.supernet import NASBench201Supernet

        make = NASBench201Supernet if readable else FastNASBench201Supernet
    else:
        raise TypeError(f"no supernet for the space {space.name}")
    with torch.device("meta"):  # building draws nothing from the global random state
        net = make(channels=channels, cells=cells, classes=classes, image_channels=image_channels, **extra, **options)
    net = net.to_empty(device="cpu").to(dtype)
    if generator is not None:
        initialise(net, generator)
    return net.to(device) if readable else net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
