"""DARTS-ES: stop when the dominant eigenvalue of the Hessian grows."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness.measures.early_stopping import EARLIEST, Stop, find_early_stop
from harness.measures.hessian import compute_hessian, compute_largest_eigenvalue
from harness.search.naming import NamedUse
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import ARCHITECTURE_STEPS
from harness.search.state import SearchState
from harness.search.steps import Moment
from harness.spaces.blocks.mix import keep_buffers


class EigenvalueStopping(Regularizer):
    """Measure the Hessian of the validation loss over alpha every second epoch, and stop by the rule of RobustDARTS.

    Zela et al., ICLR 2020 (arXiv 1909.09656), section 5; see `measures.early_stopping`. After the stop the search
    stands at the logits of the returned epoch. The measurement takes one batch, batch norm in train mode, as
    published; it leaves the network as it was.
    """

    name = "eigenvalue-stopping"
    paper = "Zela et al., ICLR 2020 (1909.09656)"
    decisions = ("robustdarts_eigenvalues",)
    methods: ClassVar = {"darts-es": NamedUse()}
    needs = (ARCHITECTURE_STEPS,)
    neutral: ClassVar[dict[str, Any]] = {"ratio": 1e9}
    status = "conforms"
    ratio: float = Field(1.3, gt=1)
    """Of the local averages at which the search stops."""
    every: int = Field(2, ge=1)
    """Measure after every so many epochs."""
    ridge: float = Field(1e-3, ge=0)
    """Added to the Hessian's diagonal (published: the L2 factor of alpha's optimizer)."""

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        stop = self.measured(search, moment.epoch)
        if stop is not None:
            search.stop_at(search.memory[self.name]["alphas"][stop.returned])

    def measured(self, search: SearchState, epoch: int) -> Stop | None:
        """Measure if it is time to, and ask the rule."""
        memory = search.memory.setdefault(self.name, {"epochs": [], "eigenvalues": [], "alphas": {}})
        memory["alphas"][epoch] = [a.detach().clone() for a in search.alphas]
        if epoch % self.every:
            return None
        memory["epochs"].append(epoch)
        memory["eigenvalues"].append(self.measure(search))
        earliest = max(EARLIEST, memory["epochs"][0])
        return find_early_stop(
            memory["epochs"], memory["eigenvalues"], ratio=self.ratio, every=self.every, earliest=earliest
        )

    def measure(self, search: SearchState) -> float:
        """The largest eigenvalue on one batch of the validation half, drawn from a stream of its own."""
        stream = search.streams["hessian-batch"]
        size = min(search.training.batch_size, search.images.size("valid"))
        batch = search.images.drawn("valid", size, stream)
        with keep_buffers(search.net), search.net.readable():
            matrix = compute_hessian(lambda alphas: search.loss_at(alphas, batch), search.alphas, ridge=self.ridge)
        return compute_largest_eigenvalue(matrix)
