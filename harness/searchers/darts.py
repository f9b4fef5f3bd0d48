"""DARTS (Liu, Simonyan & Yang, ICLR 2019, arXiv 1806.09055), first and second order."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from harness.searchers.base import ArchitectureStep, SupernetSearcher
from harness.supernets.base import Supernet

FINITE_DIFFERENCE = 0.01
"""Published numerator of the finite-difference step R = 0.01 / |v|."""


class DARTS(SupernetSearcher):
    """Softmax relaxation; the architecture gradient of the validation loss.

    order 1: g = dL_valid(w, alpha) / dalpha.
    order 2: w' = w - xi (momentum + dL_train/dw + weight decay), v = dL_valid(w', alpha) / dw',
        g = dL_valid(w', alpha)/dalpha - xi [dL_train(w + R v)/dalpha - dL_train(w - R v)/dalpha] / (2 R),
        with R = 0.01 / |v| (paper, equations 7 and 8). The virtual step is not clipped; w is restored exactly.
    """

    name = "darts"
    order: Literal[1, 2] = 1

    def relax(self, alphas: Sequence[Tensor]) -> list[Tensor]:
        return [a.softmax(dim=-1) for a in alphas]

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        if self.order == 1:
            loss = step.loss(step.net, self.relax(step.alphas), step.valid)
            return self._penalised(step, loss, step.alphas)
        return self._second_order(step)

    def _penalised(self, step: ArchitectureStep, loss: Tensor, wanted: list[Tensor]) -> list[Tensor]:
        penalty = step.penalty(step.alphas)
        return list(torch.autograd.grad(loss if penalty is None else loss + penalty, wanted))

    def _second_order(self, step: ArchitectureStep) -> list[Tensor]:
        virtual = self._virtual_network(step)
        weights = list(virtual.parameters())
        loss = step.loss(virtual, self.relax(step.alphas), step.valid)
        gradients = self._penalised(step, loss, [*step.alphas, *weights])
        alpha_gradients, vector = gradients[: len(step.alphas)], gradients[len(step.alphas) :]
        implicit = self._mixed_product(step, vector)
        return [g - step.learning_rate * h for g, h in zip(alpha_gradients, implicit, strict=True)]

    def _virtual_network(self, step: ArchitectureStep) -> Supernet:
        """A copy of the network after one plain step of its optimiser, with its own batch-norm statistics."""
        weights = list(step.net.parameters())
        gradients = torch.autograd.grad(step.loss(step.net, self.relax(step.alphas), step.train), weights)
        virtual = copy.deepcopy(step.net)
        with torch.no_grad():
            for w, g, buffer in zip(virtual.parameters(), gradients, step.momentum_buffers, strict=True):
                move = g + step.weight_decay * w
                if buffer is not None:
                    move = step.momentum * buffer + move
                w.sub_(step.learning_rate * move)
        return virtual

    def _mixed_product(self, step: ArchitectureStep, vector: list[Tensor]) -> list[Tensor]:
        """d^2 L_train / dalpha dw times `vector`, by central differences in the weights."""
        radius = FINITE_DIFFERENCE / torch.cat([v.flatten() for v in vector]).norm()
        weights = list(step.net.parameters())
        saved = [w.detach().clone() for w in weights]
        buffers = [b.clone() for b in step.net.buffers()]
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                for w, s, v in zip(weights, saved, vector, strict=True):
                    w.copy_(s + sign * radius * v)
            loss = step.loss(step.net, self.relax(step.alphas), step.train)
            sides.append(torch.autograd.grad(loss, step.alphas))
        with torch.no_grad():
            for w, s in zip(weights, saved, strict=True):
                w.copy_(s)
            if not step.finite_difference_moves_bn:
                for b, s in zip(step.net.buffers(), buffers, strict=True):
                    b.copy_(s)
        return [(plus - minus) / (2 * radius) for plus, minus in zip(*sides, strict=True)]
