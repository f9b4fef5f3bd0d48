"""Layer alignment, for any method."""

from __future__ import annotations

from typing import Any

from harness.measures.alignment import compute_layer_alignment, copy_for_each_cell, differentiate_by_cell
from harness.search.probes.base import Probe
from harness.search.regularizers.layer_alignment import count_aligned_cells
from harness.search.state import SearchState
from harness.search.steps import compute_cross_entropy
from harness.spaces.base import CELLS
from harness.spaces.blocks.mix import keep_buffers
from harness.tables.table import Table


class Alignment(Probe):
    """Agreement of the cells on the mixing weights.

    `alignment`: Lambda of Movahedi et al., ICLR 2023 (arXiv 2210.07998), the mean cosine between the cells'
    gradients of the loss over the mixing weights of the operations, on one validation minibatch; NaN of one cell.
    """

    name = "alignment"
    paper = "Movahedi et al., ICLR 2023 (2210.07998)"
    asks = (CELLS,)

    def measure(self, search: SearchState, table: Table | None) -> dict[str, Any]:
        cells = count_aligned_cells(search.net, search.space)
        if not cells:
            return {"alignment": float("nan")}
        batch = self.batch(search)
        mix = search.searcher.relax(search.alphas)
        search.net.train()
        with keep_buffers(search.net):
            own = copy_for_each_cell(mix, cells)
            slopes = differentiate_by_cell(lambda m: compute_cross_entropy(search.net, m, batch), mix, own)
        return {"alignment": sum(float(compute_layer_alignment(s)) for s in slopes.values()) / len(slopes)}
