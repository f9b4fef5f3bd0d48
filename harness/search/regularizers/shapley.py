"""Shapley-NAS: alpha moves by what each operation contributes to validation accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.lazy import torch
from harness.datasets.base import Batch
from harness.search.naming import DARTS_CODE, NamedUse, SearchRecipe
from harness.search.regularizers.alpha_warmup import NEVER, AlphaWarmup
from harness.search.regularizers.base import Regularizer
from harness.search.regularizers.partial_channels import PartialChannels
from harness.search.searchers.base import SOFTMAX
from harness.search.state import SearchState
from harness.search.steps import Moment
from harness.spaces.base import IMAGES

if TYPE_CHECKING:
    from torch import Tensor

Player = tuple[int, int, int]
"""An operation by its tensor, row and column."""


class Shapley(Regularizer):
    """From `pretrain` on, each epoch: alpha <- alpha + step s, s <- momentum s + (1 - momentum) z, z the standardized
    Shapley values of the operations.

    Xiao et al., Shapley-NAS, CVPR 2022 (arXiv 2206.09811), whose code (Euphoria16/Shapley-NAS, train_search.py) this
    was written from. The value of an operation is the mean, over `samples` random orders of all of them, of the
    accuracy in % that is lost when it is taken out after those before it: its mixing weight is set to zero, the
    others are left. An order ends once less than `threshold` of the accuracy is left; the later ones lost nothing.
    From the mean, its standard deviation over the orders is subtracted (divisor n). z: minus the mean, over the
    standard deviation (divisor n - 1), of a tensor. s begins normal, at 1e-3.

    Batch norm in train mode, statistics kept; the published passes have the mode of whatever ran before. No gradient
    moves alpha (`alpha-warmup`, without end), and parents of NAS-Bench-1Shot1 stay as they began. The method has
    PC-DARTS' partial channels, as its code.
    """

    name = "shapley"
    paper = "Xiao et al., CVPR 2022 (2206.09811)"
    asks = (IMAGES,)
    methods: ClassVar = {"shapley-nas": NamedUse(beside=(AlphaWarmup(length=NEVER), PartialChannels()))}
    recipes: ClassVar = {
        "": SearchRecipe(
            "Euphoria16/Shapley-NAS train_search.py",
            {**DARTS_CODE, "batch_size": 256, "learning_rate": 0.1, "learning_rate_min": 0.0},
            16,
            50,
        )
    }
    needs = (SOFTMAX,)
    neutral: ClassVar[dict[str, Any]] = {"step": 0}
    samples: int = Field(10, ge=1)
    """Random orders of the operations."""
    threshold: float = Field(0.5, ge=0, le=1)
    """An order ends once less than this share of the accuracy is left."""
    momentum: float = Field(0.8, ge=0, lt=1)
    """Of the moving average of the values."""
    step: float = Field(0.1, ge=0)
    """Length of an epoch's step of alpha."""
    pretrain: float = Field(0.5, ge=0, le=1)
    """Share of the epochs in which weights alone are trained (25 of 50)."""
    images: int = Field(1024, ge=2)
    """Images of the one validation batch that an order is judged on."""

    @property
    def of_alpha(self) -> bool:
        return True  # it moves alpha itself, after epochs

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        done = moment.epoch + 1
        if self.step == 0 or done < round(self.pretrain * moment.epochs) or done == moment.epochs:
            return
        values = self.values(search)
        memory = search.memory.setdefault(self.name, {})
        for tensor, found in values.items():
            begun = 1e-3 * torch.randn(found.shape, generator=search.streams[self.name])
            last = memory.get(tensor, begun.to(found))
            memory[tensor] = self.momentum * last + (1 - self.momentum) * standardize(found)
            with torch.no_grad():
                search.alphas[tensor].add_(self.step * memory[tensor])

    def values(self, search: SearchState) -> dict[int, Tensor]:
        """The Shapley values of all operations, in percentage points, by tensor."""
        mix = [m.detach() for m in search.net.constrained(search.searcher.relax(search.alphas))]
        tensors = search.space.operation_tensors()
        players = [(t, row, i) for t in tensors for row in range(len(mix[t])) for i in range(mix[t].shape[1])]
        orders = [self.order(search, mix, players) for _ in range(self.samples)]
        lost = {t: torch.stack([order[t] for order in orders]) for t in tensors}
        return {t: each.mean(dim=0) - each.std(dim=0, correction=0) for t, each in lost.items()}

    def order(self, search: SearchState, mix: Sequence[Tensor], players: Sequence[Player]) -> dict[int, Tensor]:
        """What each operation's absence loses in one random order, zero where the order ended before."""
        generator = search.streams[self.name]
        batch = self._batch(search, generator)
        left = [m.clone() for m in mix]
        lost = {t: torch.zeros_like(mix[t]) for t in search.space.operation_tensors()}
        first = accuracy = search.accuracy(left, *batch)
        for number in torch.randperm(len(players), generator=generator).tolist():
            tensor, row, option = players[number]
            left[tensor][row, option] = 0.0
            after = search.accuracy(left, *batch)
            lost[tensor][row, option] = accuracy - after
            accuracy = after
            if accuracy < self.threshold * first:
                break
        return lost

    def _batch(self, search: SearchState, generator: torch.Generator) -> Batch:
        images, labels = search.images.evaluation("valid")
        chosen = torch.randperm(len(labels), generator=generator)[: self.images].to(labels.device)
        return images[chosen], labels[chosen]


def standardize(values: Tensor) -> Tensor:
    """Minus the mean, over the standard deviation; zero where all are equal."""
    spread = values.std()
    return (values - values.mean()) / spread if spread > 0 else torch.zeros_like(values)
