"""The initial weights of a network."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


def allocate_network(net: nn.Module, dtype: torch.dtype = torch.float32) -> None:
    """Give a network that was built on `meta` memory, uninitialized. `Module.to_empty` imports SymPy for that, which
    takes a third of a second."""
    state = {name: (t.shape, dtype if t.is_floating_point() else t.dtype) for name, t in net.state_dict().items()}
    net.load_state_dict({n: torch.empty(shape, dtype=kind) for n, (shape, kind) in state.items()}, assign=True)


def initialize_network(net: nn.Module, generator: torch.Generator) -> None:
    """PyTorch's default initial weights, drawn from `generator` on the CPU instead of the global state.

    Convolutions and linear layers: U(-1/sqrt(fan_in), 1/sqrt(fan_in)) (He et al. 2015 with a = sqrt 5), biases too;
    batch norm: scale 1, shift 0, running mean 0, running variance 1. A network that has weights of another kind makes
    its own, by a method `initialize`.
    """
    own: Any = getattr(net, "initialize", None)
    if own is not None:
        own(generator)
        return
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                bound = module.weight[0].numel() ** -0.5
                for tensor in (module.weight, module.bias):
                    if tensor is not None:
                        draw = torch.empty(tensor.shape, dtype=tensor.dtype)
                        tensor.copy_(draw.uniform_(-bound, bound, generator=generator))
            elif isinstance(module, nn.BatchNorm2d):
                module.reset_running_stats()
                if module.affine:
                    nn.init.ones_(module.weight)
                    nn.init.zeros_(module.bias)
