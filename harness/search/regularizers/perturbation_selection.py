"""DARTS-PT: select operations by how much the trained network misses them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.core.lazy import torch
from harness.datasets.base import Batch, evaluate_scores
from harness.search.naming import DARTS_CODE, NamedUse, SearchRecipe
from harness.search.regularizers.alpha_warmup import NEVER, AlphaWarmup
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import ARCHITECTURE_STEPS, SOFTMAX
from harness.search.state import SearchState
from harness.spaces.base import IMAGES, Architecture
from harness.spaces.blocks.mix import Mix, keep_buffers

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Decision:
    """A choice by tensor and row, accuracies in % and losses without each of its options, and those that are kept."""

    tensor: int
    row: int
    scores: list[tuple[float, float]]
    kept: list[int]


class PerturbationSelection(Regularizer):
    """After the last epoch, in random order: decide a choice for what costs most validation accuracy (or raises the
    loss most) when it is taken out of the mix, and train the network on for `tune_epochs` at `rate`, before the next
    choice.

    Wang et al., DARTS-PT, ICLR 2021 (arXiv 2108.04392), algorithm 1: an option's mixing weight is set to zero, the
    others are left; batch norm in train mode, as published; momentum begins anew. Crossed with any method by `a +
    darts-pt`; `darts-pt-fixed` never moves alpha. Epochs before the last record the largest logits. A choice of
    several parents keeps as many as it takes. The search itself is left as it was.
    """

    name = "perturbation-selection"
    paper = "Wang et al., ICLR 2021 (2108.04392)"
    asks = (IMAGES,)
    decisions = ("decision_darts_pt",)
    recipes: ClassVar = {
        "": SearchRecipe("ruocwang/darts-pt sota/cnn", DARTS_CODE, 16, 50),
        "nasbench201": SearchRecipe(
            "ruocwang/darts-pt nasbench201", {**DARTS_CODE, "sampling": "replacement"}, 16, 100
        ),
    }
    methods: ClassVar = {
        "darts-pt": NamedUse(official={"augmented": True, "moves_bn": True, "early": True}),
        "darts-pt-fixed": NamedUse(
            beside=(AlphaWarmup(length=NEVER),), official={"augmented": True, "moves_bn": True, "early": True}
        ),
    }
    needs = (SOFTMAX, ARCHITECTURE_STEPS)
    neutral: ClassVar[dict[str, Any]] = {}
    status = "conforms"
    tune_epochs: int = Field(5, ge=0)
    """Epochs of training after each decision."""
    rate: float = Field(0.0025, gt=0)
    """Learning rate of these epochs."""
    criterion: Literal["accuracy", "loss"] = "accuracy"
    """What is compared: lost validation accuracy, or risen loss."""
    augmented: bool = False
    """The validation half in the search's augmented minibatches, else plain."""
    moves_bn: bool = False
    """The passes move the running statistics of batch norm."""
    early: bool = False
    """The last choice is decided one epoch before the end of tuning, so that with one tuning epoch between them it
    coincides with the one before, and one choice is left to the largest logits. All three as in the published code."""

    def select(self, search: SearchState) -> Architecture | None:
        if search.trained < search.epochs or search.stopped:
            return None
        before = copy.deepcopy(search.state_dict())
        choices = [(t, row) for t, alpha in enumerate(search.alphas) for row in range(len(alpha))]
        order = [choices[i] for i in torch.randperm(len(choices), generator=search.streams[self.name]).tolist()]

        def tune() -> None:
            search.net.train()
            for _ in range(search.steps_per_epoch):
                search.advance(search.epochs - 1, self.rate)

        for _ in self.project(search, order, lambda: self._batches(search), tune):
            pass
        selected = search.derive()
        search.load_state_dict(before)
        return selected

    def project(
        self,
        search: SearchState,
        order: Sequence[tuple[int, int]],
        valid: Callable[[], Sequence[Batch]],
        tune: Callable[[], None],
    ) -> Iterator[Decision]:
        """Decide the choices in this order, each on the batches of `valid`; `tune` trains for an epoch."""
        search.weight_optimizer.state.clear()
        left, (decisions, epochs) = iter(order), self.plan(len(order))
        for epoch in range(epochs + 1):
            for _ in range(decisions.count(epoch)):
                tensor, row = next(left)
                yield self.decide(search, tensor, row, valid())
            if epoch < epochs:
                tune()

    def plan(self, choices: int) -> tuple[list[int], int]:
        """The tuning epochs before which a choice is decided, and how many tuning epochs there are."""
        total = (choices - 1) * self.tune_epochs
        first = [i * self.tune_epochs for i in range(choices - 1)]
        if not self.early:
            return [*first, total], total
        return sorted({*first, max(0, total - 1)}), total

    def decide(self, search: SearchState, tensor: int, row: int, batches: Sequence[Batch]) -> Decision:
        """Decide one choice."""
        scores = []
        with nullcontext() if self.moves_bn else keep_buffers(search.net):
            for option in range(search.alphas[tensor].shape[1]):
                scores.append(train_mode_scores(search, self.without(search, tensor, row, option), batches))
        kept = self.missed_most(scores)[: search.space.picks[tensor]]
        search.decide(tensor, row, kept)
        return Decision(tensor, row, scores, kept)

    def without(self, search: SearchState, tensor: int, row: int, option: int) -> list[Tensor]:
        """The mixing weights without an option of a choice."""
        with torch.no_grad():
            mix = list(search.net.constrained(search.searcher.relax(search.alphas)))
            mix[tensor] = mix[tensor].clone()
            mix[tensor][row, option] = 0.0
        return mix

    def missed_most(self, scores: Sequence[tuple[float, float]]) -> list[int]:
        """The options in the order of how much they are missed, the first of equal ones first. scores: accuracy and
        loss without each."""
        lack = [accuracy if self.criterion == "accuracy" else -loss for accuracy, loss in scores]
        return sorted(range(len(lack)), key=lambda option: lack[option])

    def _batches(self, search: SearchState) -> list[Batch]:
        if not self.augmented:
            x, y = search.images.evaluation("valid")
            return list(zip(torch.split(x, 500), torch.split(y, 500), strict=True))
        stream = search.streams[f"{self.name}-augment"]
        parts = torch.split(torch.arange(search.images.size("valid")), search.training.batch_size)
        return [search.images.batch("valid", part, stream) for part in parts]


def train_mode_scores(search: SearchState, mix: Mix, batches: Sequence[Batch]) -> tuple[float, float]:
    """Accuracy in % and loss over all images of the batches, batch norm in train mode."""
    search.net.train()
    found = [(len(y), *evaluate_scores(lambda images: search.net(images, mix), x, y)) for x, y in batches]
    total = sum(count for count, *_ in found)
    accuracy, loss = (sum(f[0] * f[i] for f in found) / total for i in (2, 1))
    return accuracy, loss
