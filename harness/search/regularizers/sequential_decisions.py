"""SGAS: choices are decided one after the other while the search goes on."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from harness.search.naming import Named
from harness.search.regularizers.base import Regularizer, keep_only
from harness.search.searchers.base import ARCHITECTURE_STEPS, SOFTMAX
from harness.search.state import SearchState
from harness.search.steps import Moment

HISTORY = 4
"""Epochs whose distributions the stability of criterion 2 is averaged over."""


class SequentialDecisions(Regularizer):
    """From `start` on, every `interval`, decide the choice with the highest score for its largest operation.

    Li et al., SGAS, CVPR 2020 (arXiv 1912.00195). Of the mixing weights a: importance 1 - a_none, certainty
    1 - H / ln K of the others (K of them, made to sum to one), stability the mean histogram intersection with the last
    four epochs; each is scaled to [0, 1] over all choices, and the score is the product of the first two (criterion 1),
    or of all three (criterion 2). start, interval: shares of the search (9 and 5 of 50 epochs), at least one epoch
    apart. Adapted: one cell; the batch does not grow; parents of NAS-Bench-1Shot1 are left alone.
    """

    name = "sequential-decisions"
    paper = "Li et al., CVPR 2020 (1912.00195)"
    methods: ClassVar = {"sgas": Named()}
    needs = (SOFTMAX, ARCHITECTURE_STEPS)
    neutral: ClassVar[dict[str, Any]] = {"start": 1}
    status = "adapted"
    criterion: int = Field(1, ge=1, le=2)
    start: float = Field(0.18, ge=0, le=1)
    interval: float = Field(0.1, gt=0, le=1)

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        memory = search.memory.setdefault(self.name, {"decided": [], "history": []})
        (tensor,) = search.space.operation_tensors()
        (names, *_) = search.space.tensors[tensor].options
        open_ = [i for i, name in enumerate(names) if name != search.space.zero]
        mix = search.alphas[tensor].detach().softmax(dim=-1)[:, open_]
        importance = mix.sum(dim=-1)
        others = mix / importance.unsqueeze(-1)
        score = scores(importance, others, memory["history"] if self.criterion == 2 else None)
        memory["history"] = [*memory["history"], others][-HISTORY:]
        first = round(self.start * search.epochs)
        every = max(1, round(self.interval * search.epochs))
        undecided = [row for row in range(len(mix)) if row not in memory["decided"]]
        if moment.epoch >= first and (moment.epoch - first) % every == 0 and undecided:
            row = max(undecided, key=lambda r: float(score[r]))
            keep_only(search, tensor, row, [open_[int(others[row].argmax())]])
            memory["decided"].append(row)


def scores(importance: Tensor, others: Tensor, history: list[Tensor] | None) -> Tensor:
    """The score of every choice. importance: [choices]; others: [choices, operations]; history: for criterion 2."""
    entropy = -torch.special.xlogy(others, others).sum(dim=-1) / torch.tensor(others.shape[-1]).log()
    score = scaled(importance) * scaled(1 - entropy)
    if history is not None:
        overlaps = [torch.minimum(others, past).sum(dim=-1) for past in history]
        score = score * scaled(torch.stack(overlaps).mean(dim=0) if overlaps else torch.zeros_like(score))
    return score


def scaled(values: Tensor) -> Tensor:
    """To [0, 1] by the smallest and the largest; all ones where they are equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else torch.ones_like(values)
