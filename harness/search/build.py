"""Building a search: its network, logits, and what replays its steps. Every search is built here."""

from __future__ import annotations

import torch

from harness.core.streams import Streams
from harness.search.cuda_graph import make_replayable
from harness.search.loop import SupernetSearch
from harness.search.methods import Method
from harness.search.training import Training
from harness.spaces.base import Implementation, Preset, Space
from harness.spaces.blocks.build import build_supernet


def build_search(
    space: Space,
    method: Method,
    *,
    channels: int,
    cells: int,
    classes: int,
    image_channels: int,
    epochs: int,
    streams: Streams,
    training: Training,
    preset: Preset | None = None,
    implementation: Implementation = "fast",
    dtype: torch.dtype = torch.float32,
    device: torch.device | str = "cpu",
) -> SupernetSearch:
    """A search in its initial state, which depends on the streams' seed alone; its data are bound to it afterwards.

    preset: the space's `fixed` one, if not said.
    Weights are PyTorch's defaults from the stream `weights`; logits are normal, from the stream `alpha-init`.
    """
    where, preset = torch.device(device), preset or space.presets["fixed"]
    net = build_supernet(
        space,
        preset,
        channels=channels,
        cells=cells,
        classes=classes,
        image_channels=image_channels,
        generator=streams["weights"],
        dtype=dtype,
        device=where,
        implementation=implementation,
        **method.supernet_options(),
    )
    alphas = [
        (training.initial_alpha * torch.randn(shape, generator=streams["alpha-init"])).to(where, dtype)
        for shape in space.alpha_shapes
    ]
    alphas = method.searcher.initial(alphas, space)
    search = SupernetSearch(
        space=space,
        net=net,
        alphas=alphas,
        searcher=method.searcher,
        regularizers=method.regularizers,
        training=training,
        preset=preset,
        streams=streams,
        epochs=epochs,
    )
    if where.type == "cuda":
        make_replayable(search)
    return search
