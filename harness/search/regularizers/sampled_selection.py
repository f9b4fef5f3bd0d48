"""One-shot selection: the best of many sampled architectures by the shared weights."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field

from harness.search.naming import Named
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.uniform_path import UniformPath
from harness.search.state import SearchState
from harness.spaces.base import Architecture
from harness.spaces.blocks.supernet import as_mix


class SampledSelection(Regularizer):
    """Record the best of `samples` random architectures on one batch of `images` validation images.

    Li & Talwalkar, UAI 2019 (arXiv 1902.07638); 100 samples on NAS-Bench-201, 1,000 on NAS-Bench-1Shot1. The accuracy
    is that of the shared weights, batch norm in train mode (running statistics are averages over all paths). Adapted:
    one batch for all, where the NAS-Bench-201 code takes another one for each.
    """

    name = "sampled-selection"
    paper = "Li & Talwalkar, UAI 2019 (1902.07638)"
    methods: ClassVar = {"random-nas": Named(beside=(UniformPath(),))}
    neutral: ClassVar[dict[str, Any]] = {}
    status = "adapted"
    samples: int = Field(100, ge=1)
    images: int = Field(256, ge=2)

    def select(self, search: SearchState) -> Architecture | None:
        stream = search.streams[self.name]
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=stream)))
        x, y = search.images.evaluation("valid")
        chosen = torch.randperm(len(y), generator=stream)[: self.images].to(y.device)
        candidates = [search.space.random(rng) for _ in range(self.samples)]
        scores = []
        for candidate in candidates:
            mix = as_mix(search.space.mix(candidate), search.alphas)
            scores.append(search.accuracy(mix, x[chosen], y[chosen]))
        return candidates[int(np.argmax(scores))]
