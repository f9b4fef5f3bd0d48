"""ZARTS (Wang et al., NeurIPS 2022, arXiv 2110.04743), by maximum-likelihood guided parameter search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.core.lazy import torch
from harness.datasets.base import Batch
from harness.measures.hessian import flatten_tensors, unflatten_vector
from harness.search.clipping import compute_norm_and_scale
from harness.search.naming import DARTS_CODE, NamedUse, SearchRecipe
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.searchers.products import keep_weights
from harness.search.steps import ArchitectureStep, Moment
from harness.spaces.blocks.mix import keep_buffers

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer


class ZARTS(SoftmaxSearcher):
    """alpha <- alpha + sum_i c_i u_i / sum_i c_i over `samples` steps u_i from a proposal q, with
    c_i = exp(-L(alpha + u_i) / temperature) / q(u_i).

    L(alpha) = L_valid(w(alpha), alpha), where w(alpha) are the network's weights after `iterations` steps of SGD on
    L_train at alpha (with the weight step's rate, momentum, decay and clipping, without Nesterov's), after which they
    are taken back. So no approximation of dw/dalpha is made: alpha's gradient g of L_valid at the present weights is
    used for the proposal alone, q = (1 - plain) N(-g, s^2) + plain N(0, s^2), whose weights c_i are those of importance
    sampling for the density proportional to exp(-L / temperature) (Welleck & Cho, arXiv 2006.03158, whose parameter
    search this is). Of the paper's three ways this is the one that it finds best; random search and GLD are not here.
    All candidates see the same minibatches. alpha has neither optimizer nor decay.

    s: `spread`, falling to zero by half a cosine over the epochs after the first `warmup` (a share of them), which move
    no alpha: as the scripts of its code (vicFigure/ZARTS cnn/script/run_search.sh: 10 of 50 epochs).

    The published code is not this algorithm. It steps an optimizer that owns the searched network's weights, not the
    candidate's: candidates are compared at the present weights (`iterations` 0; before PyTorch 2, momentum and decay
    also moved the searched weights meanwhile). It would train candidates on the validation half. proposal `sum`, as it
    has it: u = (1 - plain) a + plain b with a and b from the two Gaussians; and in place of q
    (1 - plain) exp(-|u + g|^2 / (2 s^2)) + plain exp(-|u|^2 s^2 / 2) + 1e-4, which for more than a few logits is the
    same number for all u, so that the loss alone decides.
    """

    name = "zarts"
    paper = "Wang et al., NeurIPS 2022 (2110.04743)"
    recipes: ClassVar = {
        "": SearchRecipe("vicFigure/ZARTS cnn/script/run_search.sh", {**DARTS_CODE, "weight_steps": 10}, 16, 50)
    }
    methods: ClassVar = {"zarts": NamedUse(official={"iterations": 0, "proposal": "sum"})}
    lacks = "no record of published code, which computes something else"
    replays = False
    samples: int = Field(4, ge=1)
    """Candidates of a step."""
    iterations: int = Field(10, ge=0)
    """Steps of SGD that each candidate's weights take."""
    temperature: float = Field(0.01, gt=0)
    """Of the density exp(-L / temperature)."""
    spread: float = Field(0.025, gt=0)
    """s before it falls."""
    plain: float = Field(1e-3, ge=0, le=1)
    """Share of the Gaussian around zero in the proposal."""
    warmup: float = Field(0.2, ge=0, lt=1)
    """Share of the epochs that move no alpha."""
    proposal: Literal["mixture", "sum"] = "mixture"
    """`mixture` of both Gaussians, or their `sum`, as the published code has it."""

    def passes(self) -> tuple[int, int]:
        return (1 + self.samples * (self.iterations + 1), 1 + self.samples * self.iterations)

    def moves(self, moment: Moment) -> bool:
        return moment.epoch >= round(self.warmup * moment.epochs)

    def gradient(self, step: ArchitectureStep) -> list[Tensor]:
        """Minus the move of alpha."""
        slope, spread = flatten_tensors(super().gradient(step)), self.spread_at(step.moment)
        batches = [step.further() for _ in range(self.iterations)]
        moves = torch.stack([self.proposed(slope, spread, step.moment) for _ in range(self.samples)])
        losses = torch.stack([self.loss_after(step, move, batches) for move in moves])
        total = compute_guided_mean(moves, losses / self.temperature, self.log_density(moves, slope, spread))
        return [-part for part in unflatten_vector(total, step.alphas)]

    def move(self, step: ArchitectureStep, gradients: Sequence[Tensor], optimizer: Optimizer) -> None:
        with torch.no_grad():
            for alpha, gradient in zip(step.alphas, gradients, strict=True):
                alpha.sub_(gradient)

    def spread_at(self, moment: Moment) -> float:
        """The standard deviation of the proposal in this epoch."""
        first = round(self.warmup * moment.epochs)
        return self.spread * (1 + math.cos(math.pi * (moment.epoch - first) / (moment.epochs - first))) / 2

    def proposed(self, slope: Tensor, spread: float, moment: Moment) -> Tensor:
        """A step of all logits, [logits]. slope: the gradient of the validation loss, [logits]."""
        count, dtype = len(slope), slope.dtype

        def drawn(generator: torch.Generator) -> Tensor:
            noise = torch.randn(2, count, generator=generator, dtype=dtype)
            return torch.cat([noise.flatten(), torch.rand(1, generator=generator, dtype=dtype)])

        found = moment.streams.draw(self.name, drawn, slope.device)
        guided, blind = torch.split(spread * found[:-1], count)
        guided = guided - slope
        summed: Tensor = (1 - self.plain) * guided + self.plain * blind
        return summed if self.proposal == "sum" else blind.where(found[-1] < self.plain, guided)

    def log_density(self, moves: Tensor, slope: Tensor, spread: float) -> Tensor:
        """The logarithm of the proposal's density up to a constant, [samples], at moves [samples, logits]."""
        guided, blind = ((moves - center).square().sum(dim=1) / 2 for center in (-slope, torch.zeros_like(slope)))
        if self.proposal == "sum":
            near, far = (-guided / spread**2).exp(), (-blind * spread**2).exp()
            return ((1 - self.plain) * near + self.plain * far + 1e-4).log()
        near, far = take_logarithm(1 - self.plain) - guided / spread**2, take_logarithm(self.plain) - blind / spread**2
        return torch.logaddexp(near, far)

    def loss_after(self, step: ArchitectureStep, move: Tensor, batches: Sequence[Batch]) -> Tensor:
        """L(alpha + move), a scalar; the weights are those of before again."""
        alphas = [(a + m).detach() for a, m in zip(step.alphas, unflatten_vector(move, step.alphas), strict=True)]
        with keep_weights(step.weights), keep_buffers(step.net):
            buffers = list(step.momentum_buffers)
            for batch in batches:
                buffers = self.trained(step, alphas, batch, buffers)
            with torch.no_grad():
                loss = step.loss(step.net, self.sample(alphas, step.moment), step.valid)
        penalty = step.penalty(alphas)
        return loss if penalty is None else loss + penalty

    def trained(
        self, step: ArchitectureStep, alphas: Sequence[Tensor], batch: Batch, buffers: Sequence[Tensor | None]
    ) -> list[Tensor | None]:
        """Take one step of SGD in place; the new momentum buffers."""
        loss = step.loss(step.net, self.sample(alphas, step.moment), batch)
        slopes = torch.autograd.grad(loss, step.weights)
        _, scale = compute_norm_and_scale(slopes, step.gradient_clip)
        found: list[Tensor | None] = []
        with torch.no_grad():
            for weight, slope, buffer in zip(step.weights, slopes, buffers, strict=True):
                change = scale * slope + step.weight_decay * weight
                change = change if buffer is None else step.momentum * buffer + change
                weight.sub_(step.learning_rate * change)
                found.append(change)
        return found


def take_logarithm(share: float) -> float:
    return math.log(share) if share else -math.inf


def compute_guided_mean(moves: Tensor, losses: Tensor, log_density: Tensor) -> Tensor:
    """The mean [logits] of moves [samples, logits] under the density exp(-loss), by importance weights that sum to one;
    losses and the logarithm of the density that the moves are drawn from: [samples]."""
    return (-losses - log_density).softmax(dim=0) @ moves
