"""DARTS (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055), first and second order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from harness.search.naming import AUTODL, DARTS_CODE, Named, Recipe, Recorded, numbered
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.searchers.products import along_weights, kept_weights
from harness.search.steps import ArchitectureStep
from harness.spaces.blocks.supernet import kept_buffers


class DARTS(SoftmaxSearcher):
    """Softmax relaxation; the architecture gradient of the validation loss.

    order 1: g = dL_valid(w, alpha) / dalpha.
    order 2: w' = w - xi (momentum + dL_train/dw + weight decay), v = dL_valid(w', alpha) / dw',
        g = dL_valid(w', alpha)/dalpha - xi [dL_train(w + R v)/dalpha - dL_train(w - R v)/dalpha] / (2 R),
        with R = 0.01 / |v| (paper, equations 7 and 8). The virtual step is not clipped; w is restored exactly.
    """

    name = "darts"
    paper = "Liu et al., ICLR 2019 (1806.09055)"
    recipes: ClassVar = {
        "": Recipe("quark0/darts cnn/train_search.py", {**DARTS_CODE, "sampling": "replacement"}, 16, 50),
        "nasbench1shot1": Recipe(
            "automl/nasbench-1shot1 optimizers/darts", {**DARTS_CODE, "batch_size": 96, "sampling": "pass"}, 16, 50
        ),
        "nasbench201": Recipe("AutoDL-Projects configs/nas-benchmark/algos/DARTS.config", AUTODL, 16, 50),
    }
    methods: ClassVar = {"darts": Named(), "darts-2nd": Named({"order": 2})}
    records: ClassVar = {
        "darts1": Recorded("darts"),
        "darts2": Recorded("darts-2nd"),
        "hessian": Recorded("darts"),
        # of a space whose operations draw noise of their own
        "forward": Recorded("darts", draws=lambda arrays, prefix: {"noise": numbered(arrays, f"{prefix}/noise")}),
    }
    role = "estimator"
    status = "conforms"
    order: Literal[1, 2] = 1

    def passes(self) -> tuple[int, int]:
        return (1, 1) if self.order == 1 else (4, 4)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        if self.order == 1:
            return super().gradient(step)
        return self._second_order(step)

    def _second_order(self, step: ArchitectureStep) -> list[Tensor]:
        weights = step.weights
        downhill = torch.autograd.grad(step.loss(step.net, self.relax(step.alphas), step.train), weights)
        with kept_weights(weights), kept_buffers(step.net):
            self._plain_step(step, weights, downhill)
            gradients = self.validation_gradients(step, [*step.alphas, *weights])
        alpha_gradients, vector = gradients[: len(step.alphas)], gradients[len(step.alphas) :]
        implicit = along_weights(step, self.relax, vector, step.alphas)
        return [g - step.learning_rate * h for g, h in zip(alpha_gradients, implicit, strict=True)]

    def _plain_step(self, step: ArchitectureStep, weights: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        """Move the weights as their optimiser would, without clipping."""
        with torch.no_grad():
            for w, g, buffer in zip(weights, gradients, step.momentum_buffers, strict=True):
                move = g + step.weight_decay * w
                if buffer is not None:
                    move = step.momentum * buffer + move
                w.sub_(step.learning_rate * move)
