"""Layer alignment, for any method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.measures.alignment import cell_slopes, layer_alignment
from harness.search.loop import cross_entropy
from harness.search.probes.base import Probe
from harness.spaces.blocks.supernet import kept_buffers
from harness.tables.table import Table

if TYPE_CHECKING:
    from harness.search.loop import SupernetSearch


class Alignment(Probe):
    """Agreement of the cells on the mixing weights.

    `alignment`: Lambda of Movahedi et al., ICLR 2023 (arXiv 2210.07998), the mean cosine between the cells'
    gradients of the loss over the mixing weights of the operations, on one validation minibatch; NaN of one cell.
    """

    name = "alignment"
    paper = "Movahedi et al., ICLR 2023 (2210.07998)"

    def measure(self, search: SupernetSearch, table: Table | None) -> dict[str, Any]:
        cells = search.net.mixed_cells
        if cells < 2:
            return {"alignment": float("nan")}
        batch = self.batch(search)
        mix = search.searcher.relax(search.alphas)
        search.net.train()
        with kept_buffers(search.net):
            _, slopes = cell_slopes(lambda m: cross_entropy(search.net, m, batch), mix, cells)
        return {"alignment": float(layer_alignment(slopes))}
