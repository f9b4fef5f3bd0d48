"""How much the validation loss rises when the mixing weights are moved a little."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.core.lazy import torch
from harness.core.streams import Streams
from harness.search.probes.base import Probe
from harness.search.regularizers.adversarial import AdversarialPerturbation
from harness.search.regularizers.random_smoothing import RandomSmoothing
from harness.search.state import SearchState
from harness.search.steps import Moment, WeightStep, make_frozen_cross_entropy
from harness.tables.table import Table


class Sensitivity(Probe):
    """Rise of the validation loss when the mixing weights are moved.

    On one validation minibatch, batch norm in eval mode: `sensitivity_random_<r>`, the mean rise of the loss over
    `draws` points clip(a + U(-r, r)), and `sensitivity_attack_<r>`, its rise at the point that seven steps of projected
    gradient ascent find in the ball of radius r (both as SmoothDARTS perturbs; Chen & Hsieh, ICML 2020). Nats.
    """

    name = "sensitivity"
    paper = "Chen & Hsieh, ICML 2020 (2002.05283)"
    radii: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3)
    """Radii of the balls, in units of the mixing weights."""
    draws: int = Field(50, ge=1)
    """Random points in each ball."""

    def measure(self, search: SearchState, table: Table | None) -> dict[str, Any]:
        loss = make_frozen_cross_entropy(search.net, self.batch(search))
        seed = int(torch.randint(2**62, (), generator=search.streams[f"probe-{self.name}"]))
        moment = Moment(Streams(seed), search.space, epoch=0, epochs=1)
        step = WeightStep(search.net, loss, loss, lambda: loss, {}, moment)
        row: dict[str, Any] = {}
        mix = [m.detach() for m in search.searcher.relax(search.alphas)]
        with torch.no_grad():
            here = loss(mix).item()
        for radius in self.radii:
            ball = {"epsilon": radius, "epsilon_start": radius}
            smoothing, attack = RandomSmoothing(**ball), AdversarialPerturbation(**ball)
            worst = attack.perturb(mix, step)
            with torch.no_grad():
                rises = [loss(smoothing.perturb(mix, step)).item() - here for _ in range(self.draws)]
                row[f"sensitivity_random_{radius:g}"] = sum(rises) / len(rises)
                row[f"sensitivity_attack_{radius:g}"] = loss(worst).item() - here
        return row
