"""OLES: stop training an operation once its training and validation gradients no longer agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.lazy import torch
from harness.search.naming import NamedUse
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import ARCHITECTURE_STEPS
from harness.search.state import SearchState
from harness.search.steps import ArchitectureStep, Moment, WeightStep
from harness.spaces.base import APART
from harness.spaces.blocks.mix import Mix, keep_buffers

if TYPE_CHECKING:
    from torch import Tensor


class OperationStopping(Regularizer):
    """Freeze the weights of an operation when the mean cosine over `window` steps falls below `threshold`.

    Jiang et al., NeurIPS 2023 (OLES): the cosine is that of the operation's weight gradients on the training batch of
    a step, clipped, and on the validation batch of the next one; a parametric operation below it has begun to overfit
    the training half. Each weight tensor's cosine is taken along its first dimension and averaged.

    The validation gradient is that at the mixing weights of the architecture step. It is computed again here, so that
    any searcher can take that step; nothing of it stays behind.
    """

    name = "operation-stopping"
    paper = "Jiang et al., NeurIPS 2023 (OLES)"
    asks = (APART,)
    decisions = ("decision_oles",)
    revision = 2
    methods: ClassVar = {"oles": NamedUse(official={"late": True})}
    needs = (ARCHITECTURE_STEPS,)
    neutral: ClassVar[dict[str, Any]] = {"threshold": -1}
    status = "conforms"
    replays = False
    whole = True
    threshold: float = Field(0.4, ge=-1, le=1)
    """Mean cosine below which an operation is frozen."""
    window: int = Field(20, ge=1)
    """Steps over which the mean is taken."""
    accumulated: bool = True
    """As in the published code, where the validation gradient still holds that training gradient, which raises the
    cosine (two unrelated gradients of one length have 0.71); its threshold of 0.4 is meant for that. Off: the two as
    they are."""
    late: bool = False
    """As published, the decision follows the sum of window + 1 cosines, divided by `window`."""

    def passes(self) -> tuple[int, int]:
        return (1, 1)

    def before_architecture_step(self, step: ArchitectureStep, mix: Callable[[], Mix]) -> None:
        groups, memory = step.net.candidates(), self._memory(step)
        # the clipped gradients of the last weight step; of another process' last one where this one has not made any
        last = {w: w.grad for w in step.weights if w.grad is not None}
        last = last or {step.weights[i]: g for i, g in memory["last"].items()}
        leaves = [w for group in groups for w in group if w in last]
        if not leaves:
            return
        with keep_buffers(step.net):
            loss = step.loss(step.net, [m.detach() for m in mix()], step.valid)
            valid = dict(zip(leaves, torch.autograd.grad(loss, leaves, materialize_grads=True), strict=True))
        self.note(memory, [[(valid[w], last[w]) for w in group if w in last] for group in groups])

    def note(self, memory: dict[str, Any], pairs: Sequence[Sequence[tuple[Tensor, Tensor]]]) -> None:
        """Take in the validation and the last training gradients of each operation's weights, and decide."""
        for number, own in enumerate(pairs):
            if memory["frozen"][number] or not own:
                continue
            cosines = [torch.cosine_similarity(v + t if self.accumulated else v, t, dim=0).mean() for v, t in own]
            memory["totals"][number] += float(torch.stack(cosines).mean())
            memory["counts"][number] += 1
            if memory["counts"][number] == self.window + self.late:
                memory["frozen"][number] = memory["totals"][number] / self.window < self.threshold
                memory["totals"][number], memory["counts"][number] = 0.0, 0

    def weight_gradients(
        self, gradients: list[Tensor | None], mix: list[Tensor], step: WeightStep
    ) -> list[Tensor | None]:
        frozen = self._memory(step)["frozen"]
        stopped = {w for on, group in zip(frozen, step.net.candidates(), strict=True) if on for w in group}
        return [None if w in stopped else g for w, g in zip(step.net.parameters(), gradients, strict=True)]

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        """Keep the last training gradients with the search."""
        kept = {i: w.grad for i, w in enumerate(search.weights) if w.grad is not None}
        memory = search.memory.setdefault(self.name, make_empty_memory(len(search.net.candidates())))
        memory["last"] = {i: g.clone() for i, g in kept.items()}

    def _memory(self, step: ArchitectureStep | WeightStep) -> dict[str, Any]:
        memory: dict[str, Any] = step.moment.memory.setdefault(self.name, make_empty_memory(len(step.net.candidates())))
        return memory


def make_empty_memory(count: int) -> dict[str, Any]:
    """What is remembered of so many operations at the beginning."""
    return {"frozen": [False] * count, "totals": [0.0] * count, "counts": [0] * count, "last": {}}
