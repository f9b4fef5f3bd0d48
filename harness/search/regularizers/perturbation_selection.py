"""DARTS-PT: select operations by how much the trained network misses them."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from harness.search.naming import Named
from harness.search.regularizers.base import Regularizer, keep_only
from harness.search.searchers.base import ARCHITECTURE_STEPS, SOFTMAX
from harness.search.state import SearchState
from harness.spaces.base import Architecture


class PerturbationSelection(Regularizer):
    """After the last epoch, in random order: decide a choice for what costs most validation accuracy when it is taken
    out of the mix, and train the network on for `tune_epochs` at `rate`, before the next choice.

    Wang et al., DARTS-PT, ICLR 2021 (arXiv 2108.04392), algorithm 1: an option's mixing weight is set to zero, the
    others are left; accuracy is that of the whole validation half, batch norm in train mode, as published. Crossed with
    any method by `a + darts-pt`. Epochs before the last record the largest logits. A choice of several parents keeps as
    many as it takes. The search itself is left as it was.
    """

    name = "perturbation-selection"
    paper = "Wang et al., ICLR 2021 (2108.04392)"
    methods: ClassVar = {"darts-pt": Named()}
    needs = (SOFTMAX, ARCHITECTURE_STEPS)
    neutral: ClassVar[dict[str, Any]] = {}
    tune_epochs: int = Field(5, ge=0)
    rate: float = Field(0.0025, gt=0)

    def select(self, search: SearchState) -> Architecture | None:
        if search.trained < search.epochs or search.stopped:
            return None
        before = copy.deepcopy(search.state_dict())
        choices = [(t, row) for t, alpha in enumerate(search.alphas) for row in range(len(alpha))]
        order = torch.randperm(len(choices), generator=search.streams[self.name]).tolist()
        for place in order:
            tensor, row = choices[place]
            losses = self.accuracies_without(search, tensor, row)
            kept = losses.argsort(stable=True)[: search.space.picks[tensor]].tolist()
            keep_only(search, tensor, row, kept)
            search.net.train()
            for _ in range(self.tune_epochs * search.steps_per_epoch):
                search.advance(search.epochs - 1, self.rate)
        selected = search.derive()
        search.load_state_dict(before)
        return selected

    def accuracies_without(self, search: SearchState, tensor: int, row: int) -> Tensor:
        """Validation accuracy in % with each option of a choice taken out in turn, [options]."""
        found = []
        for option in range(search.alphas[tensor].shape[1]):
            with torch.no_grad():
                mix = search.searcher.relax(search.alphas)
                mix[tensor][row, option] = 0.0
            found.append(search.accuracy(mix, *search.images.evaluation("valid")))
        return torch.tensor(found, dtype=torch.float64)
