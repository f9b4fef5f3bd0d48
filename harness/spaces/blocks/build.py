"""Building a space's one-shot network."""

from __future__ import annotations

from typing import Any

import torch

from harness.core.errors import HarnessError
from harness.core.memory import find_memory_limit
from harness.spaces.base import Implementation, Preset, Space
from harness.spaces.blocks.initial import allocate_network, initialize_network
from harness.spaces.blocks.supernet import Supernet

HELD = 3
"""A search holds weights, their gradients and their momenta."""


def build_supernet(
    space: Space,
    preset: Preset | None = None,
    *,
    channels: int,
    cells: int,
    classes: int,
    image_channels: int = 3,
    generator: torch.Generator | None = None,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
    implementation: Implementation = "fast",
    **options: Any,
) -> Supernet:
    """The space's one-shot network with initial weights from `generator` (None: left uninitialized, for loading).

    preset: the space's `fixed` one, if not said. cells: in the space's own count (a stage, or in all). options: of the
    regularizers (`Regularizer.supernet_options`). implementation: `readable` is one module an operation, which `fast`
    must agree with; a space that has no fast one is computed by the readable one.
    """
    if channels % options.get("partial_channels", 1):
        parts = options["partial_channels"]
        raise HarnessError(f"{channels} channels cannot be divided into {parts} parts: set supernet.channels or k")
    if cells < space.least_cells:
        raise HarnessError(
            f"a network of {space.name} needs at least {space.least_cells} cells, not {cells}: set supernet.cells"
        )
    networks = space.networks()
    fast = networks.fast if implementation == "fast" else None
    options |= (preset or space.presets["fixed"]).network_options()
    with torch.device("meta"):  # building draws nothing from the global random state
        net: Supernet = (fast or networks.readable)(
            channels=channels, cells=cells, classes=classes, image_channels=image_channels, **options
        )
    size = sum(w.numel() for w in net.parameters()) * dtype.itemsize
    if HELD * size > (limit := find_memory_limit()):
        raise HarnessError(
            f"a network of {space.name} with {channels} channels and {cells} cells has {size / 1e9:.3g} GB of weights, "
            f"and gradients and momenta as large do not fit into {limit / 1e9:.3g} GB: lower supernet.channels or "
            "supernet.cells"
        )
    allocate_network(net, dtype)
    if generator is not None:
        initialize_network(net, generator)
    return net.to(device, memory_format=torch.channels_last) if fast else net.to(device)  # type: ignore[call-overload]
