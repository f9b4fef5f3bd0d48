"""PyTorch's optimizers without their preparation for `torch.compile`, which nothing here goes through.

Their methods are wrapped so that the first call imports `torch._dynamo`, which takes a second and 100 MB of every
process that computes. Here, what is wrapped is called as it is: every number is PyTorch's own.
"""

from __future__ import annotations

from inspect import unwrap
from typing import TypeVar

import torch

T = TypeVar("T", bound=type[torch.optim.Optimizer])


def strip_compilation(cls: T) -> T:
    """The class with the methods that PyTorch wrapped."""
    for name in ("add_param_group", "load_state_dict", "state_dict", "zero_grad"):
        setattr(cls, name, unwrap(getattr(cls, name)))
    cls.step = torch.no_grad()(unwrap(cls.step))  # type: ignore[method-assign]
    return cls


@strip_compilation
class SGD(torch.optim.SGD):
    """`torch.optim.SGD`."""


@strip_compilation
class Adam(torch.optim.Adam):
    """`torch.optim.Adam`."""
