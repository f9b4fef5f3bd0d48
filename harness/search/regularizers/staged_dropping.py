"""P-DARTS' staged dropping of operations, adapted to spaces with fixed operations."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness.search.naming import DARTS_CODE, Named, Recipe
from harness.search.regularizers.base import Regularizer, keep_only
from harness.search.searchers.base import ARCHITECTURE_STEPS, SOFTMAX
from harness.search.state import SearchState
from harness.search.steps import Moment


class StagedDropping(Regularizer):
    """Search in len(kept) + 1 equal stages; after each but the last, keep only a choice's largest operations.

    Chen et al., P-DARTS, ICCV 2019 (arXiv 1904.12760): three stages, no architecture step in the first `frozen` of each
    (10 of 25 epochs). Adapted: on NAS-Bench-201 5, 3, 2 operations a choice, then the derived one; the network neither
    grows nor starts anew between stages, only the kept logits do; skip connections are neither dropped out nor capped;
    parents of NAS-Bench-1Shot1 are left alone.
    """

    name = "staged-dropping"
    paper = "Chen et al., ICCV 2019 (1904.12760)"
    recipes: ClassVar = {
        "": Recipe(
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
    methods: ClassVar = {"p-darts": Named()}
    needs = (SOFTMAX, ARCHITECTURE_STEPS)
    neutral: ClassVar[dict[str, Any]] = {"kept": (1_000,), "frozen": 0}
    status = "adapted"
    kept: tuple[int, ...] = (3, 2)
    frozen: float = Field(0.4, ge=0, le=1)

    def alpha_moves(self, moment: Moment) -> bool:
        stage, length = self._stage(moment.epoch, moment.epochs), moment.epochs / (len(self.kept) + 1)
        return moment.epoch >= round((stage + self.frozen) * length)

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        stage = self._stage(moment.epoch, search.epochs)
        if self._stage(moment.epoch + 1, search.epochs) == stage or stage == len(self.kept):
            return
        count = self.kept[stage]
        for tensor in search.space.operation_tensors():
            if count < search.alphas[tensor].shape[1]:
                for row, alpha in enumerate(search.alphas[tensor].detach().clone()):
                    keep_only(search, tensor, row, alpha.topk(count).indices.tolist())
                search.alpha_optimizer.state.clear()

    def _stage(self, epoch: int, epochs: int) -> int:
        """The stage of a 0-based epoch, from 0."""
        return min(len(self.kept), int(epoch * (len(self.kept) + 1) / epochs + 1e-9))
