"""Lambda-DARTS: weights are moved towards agreement between the cells."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.lazy import torch
from harness.measures.alignment import compute_layer_alignment, copy_for_each_cell, differentiate_by_cell, put_in
from harness.search.naming import DARTS_CODE, NamedUse, SearchRecipe
from harness.search.regularizers.base import Regularizer
from harness.search.schedules import interpolate_until_last_epoch
from harness.search.searchers.products import scale_to_distance
from harness.search.steps import WeightStep
from harness.spaces.base import CELLS, Space
from harness.spaces.blocks.mix import keep_buffers

if TYPE_CHECKING:
    from torch import Tensor

    from harness.spaces.blocks.supernet import Supernet


class LayerAlignment(Regularizer):
    """Add -strength_e dLambda/dw to the weights' gradient, Lambda the mean cosine of the cells' dL_train/da.

    Movahedi et al., ICLR 2023 (arXiv 2210.07998). With P = dLambda/d(slopes), [cells, choices, options], the term is
    strength_e (dL(a - eps P)/dw - dL(a + eps P)/dw) / (2 eps), eps = distance / |P|, each cell at its own a;
    strength_e grows linearly from 0 to `strength` (0.125 by the published code's default, 0.25 in its script).
    Operations alone, not parents. A network of one cell has nothing to align.
    """

    name = "layer-alignment"
    paper = "Movahedi et al., ICLR 2023 (2210.07998)"
    asks = (CELLS,)
    recipes: ClassVar = {
        "": SearchRecipe("dr-faustus/Lambda-DARTS, the rate of alpha alone", {"alpha_learning_rate": 1e-4}),
        "nasbench201": SearchRecipe(
            "dr-faustus/Lambda-DARTS NAS-Bench201/exps/algos/DARTS-V1.py",
            {**DARTS_CODE, "order": "weights-first", "alpha_learning_rate": 1e-4},
            16,
            100,
        ),
    }
    methods: ClassVar = {"lambda-darts": NamedUse(official={"moves_bn": True})}
    status = "conforms"
    whole = True
    counts = "stale"
    neutral: ClassVar[dict[str, Any]] = {"strength": 0}
    later = ("distance",)
    strength: float = Field(0.125, ge=0)
    """strength_e of the last epoch."""
    distance: float = Field(1e-4, gt=0)
    """eps times |P| of the central differences."""
    moves_bn: bool = False
    """The two passes beside a move the running statistics of batch norm (published)."""

    def passes(self) -> tuple[int, int]:
        return (3, 3) if self.strength else (0, 0)

    def weight_gradients(
        self, gradients: list[Tensor | None], mix: list[Tensor], step: WeightStep
    ) -> list[Tensor | None]:
        strength = interpolate_until_last_epoch(0.0, self.strength, step.moment)
        cells = count_aligned_cells(step.net, step.moment.space)
        idle = self.strength == 0 or (strength == 0 and not self.moves_bn)
        if idle or not cells:
            return gradients
        own = copy_for_each_cell(mix, cells)
        with keep_buffers(step.net):
            slopes = differentiate_by_cell(step.loss, mix, own)
        directions = differentiate_agreement(slopes)
        distance = scale_to_distance(list(directions.values()), self.distance)
        weights = list(step.net.parameters())

        def beside(sign: int) -> tuple[Tensor, ...]:
            moved = {i: own[i].detach() + sign * distance * d for i, d in directions.items()}
            return torch.autograd.grad(step.loss(put_in(mix, moved)), weights)

        with nullcontext() if self.moves_bn else keep_buffers(step.net):
            below, above = beside(-1), beside(1)
        return [
            None if g is None else g + strength * (b - a) / (2 * distance)
            for g, b, a in zip(gradients, below, above, strict=True)
        ]


def differentiate_agreement(slopes: dict[int, Tensor]) -> dict[int, Tensor]:
    """The derivative of the mean cosine of the cells' slopes over these, [cells, choices, options]."""
    slopes = {i: s.detach().requires_grad_() for i, s in slopes.items()}
    agreement = torch.stack([compute_layer_alignment(s) for s in slopes.values()]).mean()
    return dict(zip(slopes, torch.autograd.grad(agreement, list(slopes.values())), strict=True))


def count_aligned_cells(net: Supernet, space: Space) -> dict[int, int]:
    """How many cells share each architecture tensor of operations, where more than one does."""
    counts = {tensor: net.cells_of(tensor) for tensor in space.operation_tensors()}
    return {tensor: count for tensor, count in counts.items() if count > 1}
