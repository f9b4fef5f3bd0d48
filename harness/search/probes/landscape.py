"""The landscape of the validation loss around the architecture, as in the figures of the SmoothDARTS paper."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.core.lazy import torch
from harness.measures.hessian import flatten_tensors, unflatten_vector
from harness.search.probes.base import Probe
from harness.search.state import SearchState
from harness.spaces.blocks.mix import keep_buffers
from harness.tables.table import Table


class LandscapeProbe(Probe):
    """The validation loss on a grid around alpha.

    `landscape_loss`: the loss on one validation minibatch at alpha + x g + y r over a square grid, row by row from
    the smallest y; `landscape_at`: the grid's x and y, `points` values from -`reach` to `reach`.

    g: the gradient of the loss, of unit length; r: a random direction, made orthogonal to g and of unit length. Batch
    norm in train mode. Chen & Hsieh, ICML 2020, figure 1.
    """

    name = "landscape"
    paper = "Chen & Hsieh, ICML 2020 (2002.05283)"
    points: int = Field(15, ge=3)
    """Values along each axis of the grid."""
    reach: float = Field(1.0, gt=0)
    """The grid goes from -reach to reach, in units of the logits."""

    def measure(self, search: SearchState, table: Table | None) -> dict[str, Any]:
        batch = self.batch(search)
        search.net.train()
        stream = search.streams[f"probe-{self.name}"]
        with keep_buffers(search.net):
            gradient = flatten_tensors(torch.autograd.grad(search.loss_at(search.alphas, batch), search.alphas))
            random = torch.randn(gradient.shape, generator=stream).to(gradient)
            first = gradient / gradient.norm().clamp(min=torch.finfo(gradient.dtype).tiny)
            second = random - (random @ first) * first
            second = second / second.norm()
            at = torch.linspace(-self.reach, self.reach, self.points)
            with torch.no_grad():
                here = flatten_tensors(search.alphas)
                losses = [
                    search.loss_at(unflatten_vector(here + x * first + y * second, search.alphas), batch).item()
                    for y in at.tolist()
                    for x in at.tolist()
                ]
        return {"landscape_loss": losses, "landscape_at": at.tolist()}
