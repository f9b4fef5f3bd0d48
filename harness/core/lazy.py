"""PyTorch, imported when something of it is first used: to say what a study is takes none of it.

Files that a study is read, planned and judged with write `from harness.core.lazy import torch`, and name tensors under
`TYPE_CHECKING`; those of networks, which nothing else imports, write `import torch`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

__all__ = ["F", "nn", "torch"]


class Lazy(ModuleType):
    """Stands for a module that may not have been imported yet. It is not among `sys.modules`, where other packages look
    for what is there."""

    def __getattr__(self, name: str) -> Any:
        return getattr(import_module(self.__name__), name)


if TYPE_CHECKING:
    import torch
    from torch import nn
    from torch.nn import functional as F
else:
    torch, nn, F = Lazy("torch"), Lazy("torch.nn"), Lazy("torch.nn.functional")
