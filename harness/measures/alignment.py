"""Layer alignment: how much the cells of a one-shot network agree on what the mixing weights should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def cell_slopes(loss: Callable[[list[Tensor]], Tensor], mix: Sequence[Tensor], cells: int) -> tuple[Tensor, Tensor]:
    """A copy of a mix's first tensor for each cell, and the gradient of the loss over them: [cells, *shape] each."""
    own = mix[0].detach().expand(cells, *mix[0].shape).clone().requires_grad_()
    (slopes,) = torch.autograd.grad(loss([own, *(m.detach() for m in mix[1:])]), own)
    return own.detach(), slopes


def layer_alignment(slopes: Tensor) -> Tensor:
    """Mean cosine between the gradients of two cells with respect to the mixing weights that they share, a scalar.

    slopes: [cells, weights], at least two cells. Movahedi et al., Lambda-DARTS, ICLR 2023 (arXiv 2210.07998), the
    paper's Lambda: 1 where all cells pull alike, near 0 where they pull in unrelated directions.
    """
    unit = F.normalize(slopes.flatten(1), dim=1)
    cells = len(unit)
    return (unit.sum(dim=0).square().sum() - unit.square().sum()) / (cells * (cells - 1))
