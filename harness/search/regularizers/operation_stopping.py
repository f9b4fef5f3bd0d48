"""OLES: stop training an operation once its training and validation gradients no longer agree."""

from __future__ import annotations

from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor

from harness.search.naming import Named
from harness.search.regularizers.base import Regularizer
from harness.search.steps import WeightStep
from harness.spaces.blocks.supernet import kept_buffers


class OperationStopping(Regularizer):
    """Freeze the weights of an operation when the mean cosine over `window` steps falls below `threshold`.

    Jiang et al., NeurIPS 2023 (OLES): the cosine is that of the operation's weight gradients on the training and on the
    validation batch; a parametric operation below it has begun to overfit the training half. Each weight tensor's
    cosine is taken along its first dimension and averaged. accumulated: as in the published code, where the validation
    gradient still holds the last step's training gradient, which raises the cosine (two unrelated gradients of one
    length have 0.71); its threshold of 0.4 is meant for that. Off: the paper's definition.
    """

    name = "operation-stopping"
    paper = "Jiang et al., NeurIPS 2023 (OLES)"
    methods: ClassVar = {"oles": Named()}
    neutral: ClassVar[dict[str, Any]] = {"threshold": -1}
    replays = False
    threshold: float = Field(0.4, ge=-1, le=1)
    window: int = Field(20, ge=1)
    accumulated: bool = True

    def passes(self) -> tuple[int, int]:
        return (1, 1)

    def weight_gradients(
        self, gradients: list[Tensor | None], mix: list[Tensor], step: WeightStep
    ) -> list[Tensor | None]:
        groups = step.net.candidates()
        place = {id(w): i for i, w in enumerate(step.net.parameters())}
        memory = step.memory.setdefault(
            self.name, {"frozen": [False] * len(groups), "total": [0.0] * len(groups), "count": 0, "last": None}
        )
        train = {i: g for i, g in enumerate(gradients) if g is not None}
        with kept_buffers(step.net):
            leaves = [w for group in groups for w in group]
            found = torch.autograd.grad(step.valid_loss(mix), leaves)
        valid = {place[id(w)]: g for w, g in zip(leaves, found, strict=True)}
        against = memory["last"] if self.accumulated else train
        if against is not None:
            for number, group in enumerate(groups):
                members = [place[id(w)] for w in group]
                pairs = [(valid[i] + against[i] if self.accumulated else valid[i], against[i]) for i in members]
                cosines = [torch.cosine_similarity(a, b, dim=0).mean() for a, b in pairs]
                memory["total"][number] += float(torch.stack(cosines).mean())
            memory["count"] += 1
        memory["last"] = {i: train[i].detach() for i in valid} if self.accumulated else None
        if memory["count"] == self.window:
            low = [total / self.window < self.threshold for total in memory["total"]]
            memory["frozen"] = [a or b for a, b in zip(memory["frozen"], low, strict=True)]
            memory["total"], memory["count"] = [0.0] * len(groups), 0
        stopped = {place[id(w)] for f, group in zip(memory["frozen"], groups, strict=True) if f for w in group}
        return [None if i in stopped else g for i, g in enumerate(gradients)]
