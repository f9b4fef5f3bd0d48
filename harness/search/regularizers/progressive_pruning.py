"""DrNAS' progressive search: fewer operations a choice, and more channels, stage after stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from harness.core.lazy import torch
from harness.search.naming import NamedUse
from harness.search.regularizers.base import Regularizer
from harness.search.regularizers.partial_channels import PartialChannels
from harness.search.searchers.base import ARCHITECTURE_STEPS, SIMPLEX
from harness.search.searchers.drnas import DrNAS
from harness.search.state import SearchState
from harness.search.steps import Moment

if TYPE_CHECKING:
    from torch import Tensor

    from harness.spaces.blocks.supernet import Supernet


class ProgressivePruning(Regularizer):
    """After `at[i]` epochs keep the `kept[i]` largest logits of a choice of operations; mixing weights of the others
    are set to zero and the rest divided by its sum.

    Chen et al., ICLR 2021 (arXiv 2006.10355), section 3.3. As published the logits of what is dropped are set to zero
    and go on to be moved, they are computed no longer, and the optimizers keep their states. Adapted: the channels do
    not grow between stages.
    """

    name = "progressive-pruning"
    paper = "Chen et al., ICLR 2021 (2006.10355)"
    recipes: ClassVar = DrNAS.recipes
    methods: ClassVar = {"drnas-progressive": NamedUse(beside=(DrNAS(), PartialChannels()))}
    needs = (SIMPLEX, ARCHITECTURE_STEPS)
    neutral: ClassVar[dict[str, Any]] = {"kept": (), "at": ()}
    status = "conforms"
    omits = True
    kept: tuple[int, ...] = (2,)
    """Options that a choice keeps, stage by stage."""
    at: tuple[int, ...] = (50,)
    """Epochs after which each stage ends."""

    def begin_epoch(self, net: Supernet, moment: Moment) -> None:
        if moment.epoch >= min(self.at, default=moment.epochs):
            net.evaluate("drawn")

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        if moment.epoch + 1 not in self.at:
            return
        count = self.kept[self.at.index(moment.epoch + 1)]
        for tensor in search.space.operation_tensors():
            for row, alpha in enumerate(search.alphas[tensor].detach().clone()):
                self._keep(search, tensor, row, alpha, count)

    @staticmethod
    def _keep(search: SearchState, tensor: int, row: int, alpha: Tensor, count: int) -> None:
        kept = alpha.topk(min(count, len(alpha))).indices
        search.decide(tensor, row, kept.tolist(), share=True)
        with torch.no_grad():
            search.alphas[tensor][row] = torch.zeros_like(alpha).scatter(0, kept, alpha[kept])
