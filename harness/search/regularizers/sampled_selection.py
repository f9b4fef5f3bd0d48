"""One-shot selection: the best of many sampled architectures by the shared weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from harness.core.lazy import torch
from harness.datasets.base import Batch, evaluate_scores
from harness.search.naming import AUTODL, NamedUse, SearchRecipe
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.uniform_path import UniformPath
from harness.search.state import SearchState
from harness.spaces.base import IMAGES, Architecture
from harness.spaces.blocks.mix import convert_to_mix, use_evaluation_mode

if TYPE_CHECKING:
    from torch import Tensor


def measure_shared_accuracies(
    search: Any, mixes: Sequence[Any], batches: Sequence[Batch], *, running: bool
) -> list[float]:
    """Accuracy in % of the shared weights at each mix, on one batch after the other, again and again; batch norm by its
    running statistics, or by those of the batch."""
    found = []
    for number, mix in enumerate(mixes):
        batch = batches[number % len(batches)]
        if running:
            with use_evaluation_mode(search.net):
                found.append(evaluate_scores(lambda x, m=mix: search.net(x, m), *batch)[1])  # type: ignore[misc]
        else:
            found.append(search.accuracy(mix, *batch))
    return found


class SampledSelection(Regularizer):
    """Record the best of `samples` random architectures on `images` validation images, the first one of several.

    Li & Talwalkar, UAI 2019 (arXiv 1902.07638); 100 samples of 512 images on NAS-Bench-201; 1,000 samples on
    NAS-Bench-1Shot1, the best 5 of which are judged again on the whole half (`finalists`).
    """

    name = "sampled-selection"
    paper = "Li & Talwalkar, UAI 2019 (1902.07638)"
    asks = (IMAGES,)
    decisions = ("decision_randomnas",)
    recipes: ClassVar = {
        "nasbench1shot1": SearchRecipe(
            "automl/nasbench-1shot1 optimizers/random_ws, batch and clipping alone",
            {"batch_size": 64, "gradient_clip": 0.25},
        ),
        "nasbench201": SearchRecipe("AutoDL-Projects configs/nas-benchmark/algos/RANDOM.config", AUTODL, 16, 250),
    }
    methods: ClassVar = {
        "random-nas": NamedUse(beside=(UniformPath(),), official={"batches": "next", "statistics": "running"})
    }
    neutral: ClassVar[dict[str, Any]] = {}
    status = "conforms"
    samples: int = Field(100, ge=1)
    """Random architectures that are judged."""
    images: int = Field(512, ge=2)
    """Validation images that judge each."""
    finalists: int = Field(0, ge=0)
    """The best so many are judged again on the whole half; 0: none."""
    batches: Literal["one", "next"] = "one"
    """All on one batch, or each on the next one (the code for NAS-Bench-201)."""
    statistics: Literal["batch", "running"] = "batch"
    """Batch norm by those of the batch, or by the running ones, which are averages over all paths (the code for
    NAS-Bench-201)."""

    def select(self, search: SearchState) -> Architecture | None:
        stream = search.streams[self.name]
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=stream)))
        whole = search.images.evaluation("valid")
        batches = self._batches(whole, torch.randperm(len(whole[1]), generator=stream))
        candidates = [search.space.random(rng) for _ in range(self.samples)]
        scores = self._scores(search, candidates, batches)
        return candidates[self.best(scores, lambda few: self._scores(search, [candidates[i] for i in few], [whole]))]

    def best(self, scores: Sequence[float], again: Callable[[list[int]], Sequence[float]]) -> int:
        """The place of the best candidate, the first of several; by `again`, where there are finalists: the scores of
        a few of them, on more images."""
        if not self.finalists:
            return int(np.argmax(scores))
        few = np.argsort(-np.asarray(scores), kind="stable")[: self.finalists].tolist()
        return int(few[int(np.argmax(again(few)))])

    def _batches(self, whole: Batch, order: Tensor) -> list[Batch]:
        x, y = whole
        parts = torch.split(order.to(y.device), self.images)
        kept = parts[:1] if self.batches == "one" else parts
        return [(x[part], y[part]) for part in kept]

    def _scores(self, search: SearchState, candidates: Sequence[Architecture], batches: Sequence[Batch]) -> list[float]:
        mixes = [convert_to_mix(search.space.mix(candidate), search.alphas) for candidate in candidates]
        return measure_shared_accuracies(search, mixes, batches, running=self.statistics == "running")
