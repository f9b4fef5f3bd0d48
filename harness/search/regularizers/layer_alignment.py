"""Lambda-DARTS: weights are moved towards agreement between the cells."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from harness.measures.alignment import cell_slopes, layer_alignment
from harness.search.regularizers.base import Regularizer, WeightStep
from harness.search.searchers.products import finite_difference
from harness.spaces.blocks.supernet import kept_buffers

DISTANCE = 1e-4
"""Numerator of the finite-difference step, as published."""


class LayerAlignment(Regularizer):
    """Add -strength_e dLambda/dw to the weights' gradient, Lambda the mean cosine of the cells' dL_train/da.

    Movahedi et al., ICLR 2023 (arXiv 2210.07998). With P = dLambda/d(slopes), [cells, choices, options], the term is
    strength_e (dL(a - eps P)/dw - dL(a + eps P)/dw) / (2 eps), eps = 1e-4 / |P|, each cell at its own a; strength_e
    grows linearly from 0 to `strength` (0.125 by the published code's default, 0.25 in its script). Operations alone,
    not parents. A network of one cell has nothing to align.
    """

    name = "layer-alignment"
    paper = "Movahedi et al., ICLR 2023 (2210.07998)"
    neutral: ClassVar[dict[str, Any]] = {"strength": 0}
    strength: float = Field(0.125, ge=0)

    def passes(self) -> tuple[int, int]:
        return (3, 3) if self.strength else (0, 0)

    def weight_gradients(
        self, gradients: list[Tensor | None], mix: list[Tensor], step: WeightStep
    ) -> list[Tensor | None]:
        strength = self.strength * step.epoch / max(1, step.epochs - 1)
        cells = step.net.mixed_cells
        if strength == 0 or cells < 2:
            return gradients
        with kept_buffers(step.net):
            return self._aligned(gradients, mix, step, strength, cells)

    def _aligned(
        self, gradients: list[Tensor | None], mix: list[Tensor], step: WeightStep, strength: float, cells: int
    ) -> list[Tensor | None]:
        own, slopes = cell_slopes(step.loss, mix, cells)
        rest = [m.detach() for m in mix[1:]]
        (direction,) = torch.autograd.grad(layer_alignment(slopes.requires_grad_()), slopes)
        distance = finite_difference([direction], DISTANCE)
        weights = list(step.net.parameters())
        sides = [
            torch.autograd.grad(step.loss([own + sign * distance * direction, *rest]), weights) for sign in (-1, 1)
        ]
        return [
            None if g is None else g + strength * (below - above) / (2 * distance)
            for g, below, above in zip(gradients, *sides, strict=True)
        ]
