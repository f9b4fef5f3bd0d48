"""A search of the harness and the straightforward one, from the same weights and logits, on the same batches."""

from __future__ import annotations

from typing import Any

import straightforward as plain
import torch
from straightforward_darts import SupernetDARTS

from harness.core.streams import Streams
from harness.measures.hessian import compute_hessian
from harness.search.build import build_search
from harness.search.methods import build_method
from harness.search.regularizers.adversarial import AdversarialPerturbation
from harness.search.steps import make_frozen_cross_entropy
from harness.search.training import Training
from harness.spaces.base import SPACES

EPSILON = 0.1
METHODS: dict[str, dict[str, Any]] = {
    "darts": {},
    "sdarts-rs": {"random-smoothing": {"epsilon": EPSILON, "epsilon_start": EPSILON}},
    "sdarts-adv": {"adversarial": {"epsilon": EPSILON, "epsilon_start": EPSILON, "random_start": False}},
}
SIZES = {"nasbench201": 5, **{f"nasbench1shot1.s{n}": 9 for n in (1, 2, 3)}, "darts.s1": 8, "darts.full": 8}
"""Published numbers of cells; with 16 channels, batches of 64 and images of 32x32."""


class Pair:
    def __init__(
        self,
        space: str,
        method_name: str = "darts",
        *,
        channels: int = 16,
        cells: int | None = None,
        batch: int = 64,
        side: int = 32,
        dtype: torch.dtype = torch.float32,
        device: str = "cpu",
    ) -> None:
        chosen, streams = SPACES.find(space)(), Streams(0)
        cells = cells or SIZES[space]
        sizes: dict[str, Any] = {"channels": channels, "cells": cells, "classes": 10}
        used = build_method(method_name).override(METHODS[method_name])
        self.harness = build_search(
            chosen,
            used,
            **sizes,
            image_channels=3,
            epochs=50,
            streams=streams,
            training=Training(batch_size=batch),
            dtype=dtype,
            device=device,
        )
        net, alphas = self.harness.net, [a.detach() for a in self.harness.alphas]
        other: Any
        if space == "nasbench201":
            other = plain.Supernet201(**sizes)
        elif space.startswith("darts."):
            other = SupernetDARTS([t.options for t in chosen.tensors], **sizes)
        else:
            *choosing, output = chosen.choice_nodes()
            other = plain.Supernet1Shot1(nodes=output - 1, choosing=choosing, **sizes)
        other = other.to(device, dtype)
        with torch.no_grad():
            for a, b in zip(other.parameters(), net.parameters(), strict=True):
                a.copy_(b)
        self.harness.net.train()
        self.plain = plain.Search(other, alphas, method_name, EPSILON)
        x = torch.randn(2, batch, 3, side, side, generator=streams["x"]).to(device, dtype)
        y = torch.randint(0, 10, (2, batch), generator=streams["y"]).to(device)
        self.train, self.valid = (x[0], y[0]), (x[1], y[1])

    def step(self) -> torch.Tensor:
        return self.harness.step(self.train, self.valid, 0, 0.025)

    def plain_step(self) -> float:
        return self.plain.step(self.train, self.valid)

    def attack(self) -> list[torch.Tensor]:
        (regularizer,) = self.harness.regularizers
        mix = [m.detach() for m in self.harness.searcher.relax(self.harness.alphas)]
        assert isinstance(regularizer, AdversarialPerturbation)
        loss = make_frozen_cross_entropy(self.harness.net, self.train)
        return regularizer.ascend(mix, loss, EPSILON, self.harness.streams, self.harness.net.gradients)

    def plain_attack(self) -> list[torch.Tensor]:
        return self.plain.attack(self.plain.mix(), *self.train)

    def hessian(self) -> torch.Tensor:
        with self.harness.net.readable():
            return compute_hessian(lambda a: self.harness.loss_at(a, self.valid), self.harness.alphas)

    def plain_hessian(self) -> torch.Tensor:
        self.plain.net.train()
        return self.plain.hessian(*self.valid)
