"""P-DARTS' staged dropping of operations, and what it does to skip connections."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from harness.search.clipping import compute_norm_and_scale
from harness.search.naming import DARTS_CODE, NamedUse, SearchRecipe
from harness.search.regularizers.base import Regularizer, keep_only
from harness.search.searchers.base import ARCHITECTURE_STEPS, SOFTMAX
from harness.search.state import DROPPED, SearchState
from harness.search.steps import Moment
from harness.spaces.base import IMAGES, Architecture, Choices, Space

if TYPE_CHECKING:
    from torch import Tensor

    from harness.spaces.blocks.supernet import Supernet

FALL = 0.2
"""Rate at which the dropout of skips falls, per epoch, once logits move."""


class StagedDropping(Regularizer):
    """Search in len(kept) + 1 equal stages; after each but the last, keep only a choice's largest operations.

    Chen et al., P-DARTS, ICCV 2019 (arXiv 1904.12760): three stages, no architecture step in the first `frozen` of
    each (10 of 25 epochs); 8, 5, 3 operations a choice, kept = (5, 3), on DARTS' cells.

    Adapted: on NAS-Bench-201 5, 3, 2 operations a choice, then the derived one, whose skips are not capped; the
    network neither grows nor starts anew between stages, only the kept logits do; parents of NAS-Bench-1Shot1 are
    left alone.
    """

    name = "staged-dropping"
    paper = "Chen et al., ICCV 2019 (1904.12760)"
    asks = (IMAGES,)
    decisions = ("decision_pdarts",)
    recipes: ClassVar = {
        "": SearchRecipe(
            "chenxin061/pdarts train_search.py, its three stages of 25 epochs in one schedule",
            {
                **DARTS_CODE,
                "batch_size": 96,
                "learning_rate_min": 0.0,
                "alpha_learning_rate": 6e-4,
                "sampling": "pass",
            },
            16,
            75,
        )
    }
    revision = 2
    methods: ClassVar = {"p-darts": NamedUse()}
    needs = (SOFTMAX, ARCHITECTURE_STEPS)
    neutral: ClassVar[dict[str, Any]] = {"kept": (1_000,), "frozen": 0, "clip": None, "skips": None}
    status = "adapted"
    kept: tuple[int, ...] = (3, 2)
    """Operations that a choice keeps after each stage but the last."""
    frozen: float = Field(0.4, ge=0, le=1)
    """Share of a stage's epochs without architecture steps."""
    dropout: tuple[float, ...] = ()
    """By stage, of the pixels of the identity among the candidates, p (E - e - 1) / E in the E epochs of a stage while
    the logits stay, then p exp(-0.2 (e - the first epoch in which they move)); the published default is none."""
    clip: float | None = Field(5.0, gt=0)
    """The logits' gradient's norm."""
    skips: int | None = Field(2, ge=0)
    """After the last epoch, how many skip connections the first cell may have, where a node keeps some of its edges
    only; the weakest one makes way for the next operation or edge."""

    def alpha_moves(self, moment: Moment) -> bool:
        return moment.epoch >= self._moving(moment.epoch, moment.epochs)

    def alpha_gradients(self, gradients: list[Tensor]) -> list[Tensor]:
        if self.clip is None:
            return gradients
        _, scale = compute_norm_and_scale(gradients, self.clip)
        return [g * scale for g in gradients]

    def begin_epoch(self, net: Supernet, moment: Moment) -> None:
        stage = self._stage(moment.epoch, moment.epochs)
        if stage < len(self.dropout):
            net.drop_skips(self.probability(self.dropout[stage], moment.epoch, moment.epochs))

    def probability(self, initial: float, epoch: int, epochs: int) -> float:
        """That of dropping a skip's pixel in a 0-based epoch of a search, in whose stage it is `initial` at first."""
        first, length = self._first(self._stage(epoch, epochs), epochs), epochs / (len(self.kept) + 1)
        moving = self._moving(epoch, epochs)
        if epoch < moving:
            return initial * (length - (epoch - first) - 1) / length
        return initial * math.exp(-FALL * (epoch - moving))

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        stage = self._stage(moment.epoch, search.epochs)
        if self._stage(moment.epoch + 1, search.epochs) == stage or stage == len(self.kept):
            return
        count = self.kept[stage]
        for tensor in search.space.operation_tensors():
            if count < search.alphas[tensor].shape[1]:
                for row, alpha in enumerate(search.alphas[tensor].tolist()):
                    keep_only(search, tensor, row, find_largest(alpha, count))
                search.alpha_optimizer.state.clear()

    def derive(self, search: SearchState) -> Architecture | None:
        if all(choices.keeps is None for choices in search.space.tensors):
            return None
        limits = [self.skips if search.trained == search.epochs else None] + [None] * len(search.alphas)
        return derive_limited(search.space, [a.cpu().numpy() for a in search.logits()], limits)

    def _first(self, stage: int, epochs: int) -> int:
        """The first epoch of a stage."""
        return math.ceil(stage * epochs / (len(self.kept) + 1) - 1e-9)

    def _moving(self, epoch: int, epochs: int) -> int:
        """The first epoch of its stage in which the logits move."""
        return round((self._stage(epoch, epochs) + self.frozen) * epochs / (len(self.kept) + 1))

    def _stage(self, epoch: int, epochs: int) -> int:
        """The stage of a 0-based epoch, from 0."""
        return min(len(self.kept), int(epoch * (len(self.kept) + 1) / epochs + 1e-9))


def find_largest(values: Sequence[float], count: int) -> list[int]:
    """The places of the largest, the later one of equal ones."""
    return sorted(sorted(range(len(values)), key=lambda place: (values[place], place))[-count:])


def derive_limited(
    space: Space, alphas: Sequence[NDArray[np.floating[Any]]], limits: Sequence[int | None]
) -> Architecture:
    """The architecture of logits, dropped ones at `DROPPED`; limits: of skip connections in each kind of cell."""
    rows = []
    for alpha, choices, limit in zip(alphas, space.tensors, limits, strict=False):
        raised = np.exp(alpha - alpha.max(axis=1, keepdims=True))
        mix = np.where(alpha > DROPPED / 2, raised / raised.sum(axis=1, keepdims=True), -1.0)
        rows.append(cap_skips(mix, choices, space, limit))
    return space.strongest(rows)


def cap_skips(
    mix: NDArray[np.floating[Any]], choices: Choices, space: Space, limit: int | None
) -> NDArray[np.floating[Any]]:
    """One at the operations of the edges that a cell keeps, zero elsewhere: of each node the `keeps` edges of largest
    mixing weight [choices, options], those below zero not there, each with its largest operation; the later one of
    equal ones. While there are more than `limit` skips, and something else is left to take, the weight of the smallest
    becomes zero."""
    mix = mix.copy()
    names = [list(options) for options in choices.options]
    there = [[p for p, n in enumerate(own) if n != space.zero and mix[row, p] >= 0] for row, own in enumerate(names)]
    while True:
        best = [places[find_largest([mix[row, p] for p in places], 1)[0]] for row, places in enumerate(there)]
        kept = []
        for node in dict.fromkeys(choices.nodes):
            edges = [row for row, own in enumerate(choices.nodes) if own == node]
            strengths = [float(mix[row, there[row]].max()) for row in edges]
            kept += [edges[place] for place in find_largest(strengths, choices.keeps or len(edges))]
        skips = [row for row in kept if names[row][best[row]] == space.skip]
        # a skip of weight zero that is still kept has nothing beside it: the cell cannot have fewer
        fewer = [row for row in skips if mix[row, best[row]] > 0]
        if limit is None or len(skips) <= limit or not fewer:
            break
        weakest = min(fewer, key=lambda row: float(mix[row, best[row]]))
        mix[weakest, best[weakest]] = 0.0
    found = np.zeros_like(mix)
    found[kept, [best[row] for row in kept]] = 1.0
    return found
