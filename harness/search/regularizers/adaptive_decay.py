"""DARTS-ADA: go back and decay the weights more when the dominant eigenvalue of the Hessian grows."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

from pydantic import Field

from harness.core.lazy import torch
from harness.measures.early_stopping import BACK
from harness.search.naming import NamedUse
from harness.search.regularizers.early_stopping import EigenvalueStopping
from harness.search.state import SearchState
from harness.search.steps import Moment


class AdaptiveDecay(EigenvalueStopping):
    """Where `eigenvalue-stopping` would stop, go back to the state of the epoch that it returns, and multiply the
    weights' decay by `factor`, up to `limit`; once there, the rule is no longer asked.

    Zela et al., ICLR 2020 (arXiv 1909.09656), DARTS-ADA. Adapted: the state goes back, while epochs and the learning
    rate's schedule go on, so that a search has the epochs that it was given; the rule then begins anew.
    """

    name = "adaptive-decay"
    lacks = "its rule alone: robustdarts_eigenvalues"
    methods: ClassVar = {"darts-ada": NamedUse()}
    status = "adapted"
    factor: float = Field(10.0, gt=1)
    """Of the weights' decay, each time the rule would stop the search."""
    limit: float = Field(0.03, gt=0)
    """The largest decay."""

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        (group,) = search.weight_optimizer.param_groups
        if group["weight_decay"] >= self.limit:
            return
        epoch = moment.epoch
        stop = self.measured(search, epoch)
        memory = search.memory[self.name]
        states = memory.setdefault("states", {})
        parts: tuple[Any, ...] = (search.net, search.weight_optimizer, search.alpha_optimizer)
        states[epoch] = copy.deepcopy([part.state_dict() for part in parts])
        states.pop(epoch - BACK - 1, None)
        if stop is None:
            return
        for part, state in zip(parts, states[stop.returned], strict=True):
            part.load_state_dict(state)
        with torch.no_grad():
            for alpha, value in zip(search.alphas, memory["alphas"][stop.returned], strict=True):
                alpha.copy_(value)
        search.weight_optimizer.param_groups[0]["weight_decay"] = min(self.limit, self.factor * group["weight_decay"])
        del search.memory[self.name]
