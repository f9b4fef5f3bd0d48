"""Whether the one-shot network ranks architectures as the table does."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from harness.core.lazy import torch
from harness.measures.ranking import rank_agreement
from harness.search.probes.base import Probe
from harness.search.state import SearchState
from harness.spaces.base import IMAGES
from harness.spaces.blocks.mix import convert_to_mix
from harness.tables.table import Table


class RankingProbe(Probe):
    """Agreement of the shared weights' ranking with the table's.

    `ranking_kendall` (tau-b), `ranking_spearman`, `ranking_top10` (of the 10 % that the network puts first, the
    share that is among the table's 10 %), over `samples` architectures drawn in equal numbers from `strata` slices of
    the table's test ranking; `ranking_supernet`, `ranking_table`: the accuracies in %.

    The network is evaluated with its shared weights on `images` validation images, batch norm in train mode, as other
    one-shot selections here.
    """

    name = "ranking"
    paper = "Yu et al., ICLR 2020 (1902.08142)"
    asks = (IMAGES,)
    needs_table: ClassVar[bool] = True
    samples: int = Field(100, ge=10)
    """Architectures that are evaluated."""
    strata: int = Field(10, ge=1)
    """Slices of the table's ranking that give equal numbers of them."""
    images: int = Field(256, ge=2)
    """Validation images of an evaluation."""

    def measure(self, search: SearchState, table: Table | None) -> dict[str, Any]:
        assert table is not None and table.complete
        stream = search.streams[f"probe-{self.name}"]
        rng = np.random.default_rng(int(torch.randint(2**62, (), generator=stream)))
        truth = table.row_values(table.test)
        rows = draw_stratified(truth, self.samples, self.strata, rng)
        x, y = search.images.evaluation("valid")
        chosen = torch.randperm(len(y), generator=stream)[: self.images].to(y.device)
        found = []
        for row in rows:
            mix = search.space.mix(table.space.parse(table.encoding(int(row))))
            found.append(search.accuracy(convert_to_mix(mix, search.alphas), x[chosen], y[chosen]))
        agreement = rank_agreement(found, truth[rows])
        lists = {"ranking_supernet": found, "ranking_table": truth[rows].astype(float).tolist()}
        return {f"ranking_{k}": v for k, v in agreement.items()} | lists


def draw_stratified(values: Any, samples: int, strata: int, rng: np.random.Generator) -> Any:
    """Rows drawn in equal numbers from slices of the ranking of these values; missing ones are left out."""
    order = np.argsort(values, kind="stable")[: int((~np.isnan(values)).sum())]
    slices = np.array_split(order, strata)
    counts = [len(part) for part in np.array_split(np.arange(samples), strata)]
    drawn = [rng.choice(part, min(n, len(part)), replace=False) for part, n in zip(slices, counts, strict=True)]
    return np.concatenate(drawn)
