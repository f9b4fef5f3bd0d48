"""Layer alignment, for any method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from harness.measures.alignment import layer_alignment
from harness.probes.base import Probe
from harness.search import cross_entropy
from harness.supernets.base import kept_buffers
from harness.tables.table import Table

if TYPE_CHECKING:
    from harness.search import SupernetSearch


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
        mix = [m.detach() for m in search.searcher.relax(search.alphas)]
        own = mix[0].expand(cells, *mix[0].shape).clone().requires_grad_()
        search.net.train()
        with kept_buffers(search.net):
            (slopes,) = torch.autograd.grad(cross_entropy(search.net, [own, *mix[1:]], batch), own)
        return {"alignment": float(layer_alignment(slopes))}
