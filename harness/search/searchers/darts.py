"""DARTS (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055), first and second order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

from pydantic import Field

from harness.core.lazy import torch
from harness.search.naming import AUTODL, DARTS_CODE, RNN_CODE, NamedUse, SearchRecipe
from harness.search.regularizers.awd import AWD
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.searchers.products import FINITE_DIFFERENCE, differentiate_along_weights, keep_weights
from harness.search.steps import ArchitectureStep
from harness.spaces.blocks.mix import keep_buffers

if TYPE_CHECKING:
    from torch import Tensor


class Unrolled(NamedTuple):
    """The parts of the second-order gradient direct - rate implicit: xi, with the factor of a clip; the gradients of
    the validation loss at w' over alpha, and over the weights, v; and the mixed product with v."""

    rate: Any
    direct: Sequence[Tensor]
    vector: Sequence[Tensor]
    implicit: Sequence[Tensor]


class DARTS(SoftmaxSearcher):
    """Softmax relaxation; the architecture gradient of the validation loss.

    order 1: g = dL_valid(w, alpha) / dalpha.
    order 2: w' = w - xi (momentum + dL_train/dw + weight decay), v = dL_valid(w', alpha) / dw',
        g = dL_valid(w', alpha)/dalpha - xi [dL_train(w + R v)/dalpha - dL_train(w - R v)/dalpha] / (2 R),
        with R = distance / |v|, published .01 / |v| (paper, equations 7 and 8). w is restored exactly. The virtual step
        is not clipped, but where the code of the space does so (`Preset.virtual_clip`): there dL_train/dw is scaled by
        c to the norm at which weight steps are clipped, v is clipped to that norm, and xi becomes xi c in the gradient.
    """

    name = "darts"
    paper = "Liu et al., ICLR 2019 (1806.09055)"
    recipes: ClassVar = {
        "": SearchRecipe("quark0/darts cnn/train_search.py", {**DARTS_CODE, "sampling": "replacement"}, 16, 50),
        "nasbench1shot1": SearchRecipe(
            "automl/nasbench-1shot1 optimizers/darts", {**DARTS_CODE, "batch_size": 96, "sampling": "pass"}, 16, 50
        ),
        "recurrent": SearchRecipe("quark0/darts rnn/train_search.py", RNN_CODE, 300, 50, (AWD(),)),
        "nasbench201": SearchRecipe("AutoDL-Projects configs/nas-benchmark/algos/DARTS.config", AUTODL, 16, 50),
    }
    methods: ClassVar = {"darts": NamedUse(), "darts-2nd": NamedUse({"order": 2})}
    role = "estimator"
    status = "conforms"
    later = ("distance",)
    order: Literal[1, 2] = 1
    """1: at the weights as they are; 2: at those after a virtual step."""
    distance: float = Field(FINITE_DIFFERENCE, gt=0)
    """R times |v|, of the central differences."""

    @property
    def stacks(self) -> bool:
        return type(self) is DARTS and self.order == 1  # what it is composed with may differentiate by itself

    def passes(self) -> tuple[int, int]:
        return (1, 1) if self.order == 1 else (4, 4)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        if self.order == 1:
            return super().gradient(step)
        rate, direct, _, implicit = self.unrolled(step)
        return [g - rate * h for g, h in zip(direct, implicit, strict=True)]

    def unrolled(self, step: ArchitectureStep) -> Unrolled:
        """The parts of the second-order gradient."""
        weights = step.weights
        slopes = torch.autograd.grad(step.loss(step.net, self.relax(step.alphas), step.train), weights)
        counted, downhill = self._clipped(step, slopes)
        with keep_weights(weights), keep_buffers(step.net):
            self._plain_step(step, weights, downhill)
            gradients = self.validation_gradients(step, [*step.alphas, *weights])
        direct, slopes = gradients[: len(step.alphas)], tuple(gradients[len(step.alphas) :])
        _, vector = self._clipped(step, slopes)
        implicit = differentiate_along_weights(step, self.relax, vector, step.alphas, self.distance)
        return Unrolled(step.learning_rate * counted, direct, vector, implicit)

    def _clipped(self, step: ArchitectureStep, gradients: Sequence[Tensor]) -> tuple[Any, Sequence[Tensor]]:
        """Gradients of the weights, clipped where the virtual step is, and the factor that the chain rule counts."""
        if step.virtual_clip == "off":
            return 1.0, gradients
        factor = step.gradient_clip / (torch.nn.utils.get_total_norm(gradients) + 1e-6)
        capped = factor.clamp(max=1.0)
        return factor if step.virtual_clip == "uncapped" else capped, [capped * g for g in gradients]

    def _plain_step(self, step: ArchitectureStep, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Move the weights as their optimizer would, without clipping."""
        staying = {id(w) for w in step.net.tied()} if step.tied_weights_stay else set()
        with torch.no_grad():
            for w, g, buffer in zip(weights, gradients, step.momentum_buffers, strict=True):
                if id(w) in staying:
                    continue
                move = g + step.weight_decay * w
                if buffer is not None:
                    move = step.momentum * buffer + move
                w.sub_(step.learning_rate * move)
