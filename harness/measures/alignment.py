"""Layer alignment: how much the cells of a one-shot network agree on what the mixing weights should be."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.core.lazy import F, torch

if TYPE_CHECKING:
    from torch import Tensor


def copy_for_each_cell(mix: Sequence[Tensor], cells: Mapping[int, int]) -> dict[int, Tensor]:
    """A copy of a mix's tensors for each cell that shares them, [cells, *shape], leaves. cells: number of cells by the
    place of a tensor in the mix."""
    return {i: mix[i].detach().expand(n, *mix[i].shape).clone().requires_grad_() for i, n in cells.items()}


def put_in(mix: Sequence[Tensor], own: Mapping[int, Tensor]) -> list[Tensor]:
    """The mix with these tensors in their places, the others without gradient."""
    return [own[i] if i in own else m.detach() for i, m in enumerate(mix)]


def differentiate_by_cell(
    loss: Callable[[list[Tensor]], Tensor], mix: Sequence[Tensor], own: Mapping[int, Tensor]
) -> dict[int, Tensor]:
    """The gradient of the loss over each cell's copy of the mixing weights: [cells, *shape] by place."""
    found = torch.autograd.grad(loss(put_in(mix, own)), list(own.values()))
    return dict(zip(own, found, strict=True))


def compute_layer_alignment(slopes: Tensor) -> Tensor:
    """Mean cosine between the gradients of two cells with respect to the mixing weights that they share, a scalar.

    slopes: [cells, weights], at least two cells. Movahedi et al., Lambda-DARTS, ICLR 2023 (arXiv 2210.07998), the
    paper's Lambda: 1 where all cells pull alike, near 0 where they pull in unrelated directions.
    """
    unit = F.normalize(slopes.flatten(1), dim=1)
    cells = len(unit)
    return (unit.sum(dim=0).square().sum() - unit.square().sum()) / (cells * (cells - 1))
