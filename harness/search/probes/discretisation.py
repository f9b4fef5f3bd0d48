"""The discretisation gap: what the one-shot network loses when it becomes the derived architecture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.core.lazy import nn, torch
from harness.datasets.base import evaluate_scores
from harness.search.probes.base import Probe
from harness.search.state import SearchState
from harness.spaces.base import IMAGES
from harness.spaces.blocks.mix import Mix, convert_to_mix, keep_buffers
from harness.tables.table import Table

if TYPE_CHECKING:
    from torch import Tensor


class Discretisation(Probe):
    """What the network loses when it becomes the derived architecture.

    `gap_pct`: validation accuracy at the mixing weights minus that at the derived architecture, same weights, batch
    norm in eval mode, percentage points; `gap_recalibrated_pct`: with the running statistics of each estimated anew
    from `batches` training minibatches. Wang et al., ICLR 2021 (arXiv 2108.04392).
    """

    name = "discretisation"
    paper = "Wang et al., ICLR 2021 (2108.04392)"
    asks = (IMAGES,)
    batches: int = Field(10, ge=1)
    """Training minibatches from which running statistics are estimated anew."""

    def measure(self, search: SearchState, table: Table | None) -> dict[str, Any]:
        relaxed = [m.detach() for m in search.searcher.relax(search.alphas)]
        sharp = convert_to_mix(search.space.mix(search.derive()), search.alphas)
        plain = [measure_in_eval_mode(search, mix) for mix in (relaxed, sharp)]
        images, _ = search.images.evaluation("train")
        chosen = torch.randperm(len(images), generator=search.streams[f"probe-{self.name}"])
        size = search.training.batch_size
        batches = [images[c.to(images.device)] for c in torch.split(chosen, size)[: self.batches]]
        anew = []
        for mix in (relaxed, sharp):
            with keep_buffers(search.net):
                recalibrate(search.net, mix, batches)
                anew.append(measure_in_eval_mode(search, mix))
        return {"gap_pct": plain[0] - plain[1], "gap_recalibrated_pct": anew[0] - anew[1]}


def measure_in_eval_mode(search: SearchState, mix: Mix) -> float:
    """Accuracy in % on the validation half, batch norm in eval mode."""
    return evaluate_scores(lambda x: search.net.frozen(x)(mix), *search.images.evaluation("valid"))[1]


def recalibrate(net: nn.Module, mix: Mix, batches: list[Tensor]) -> None:
    """Running statistics that are the plain means over these batches."""
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    net.train()
    with torch.no_grad():
        for images in batches:
            net(images, mix)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
