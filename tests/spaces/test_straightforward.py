"""What the speed benchmarks compare with does compute the same as the harness."""

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

SPEED = Path(__file__).parents[2] / "benchmarks" / "speed"


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(SPEED))
    import pairs as found

    yield found
    plain = (f"straightforward{of}" for of in ("", "_darts", "_recurrent"))
    for name in ("pairs", "recurrent", "memory", *plain):
        sys.modules.pop(name, None)


SPACES = ["nasbench201", "nasbench1shot1.s1", "nasbench1shot1.s2", "nasbench1shot1.s3", "darts.s1"]


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("name", ["darts", "sdarts-adv"])
def test_both_take_the_same_steps(pairs: Any, space: str, name: str) -> None:
    small = {"channels": 4, "cells": 1 if space == "nasbench201" else 3, "batch": 8, "side": 8, "dtype": torch.float64}
    pair = pairs.Pair(space, name, **small)
    for _ in range(3):
        assert float(pair.step()) == pytest.approx(pair.plain_step(), rel=1e-9)
    for ours, theirs in zip(pair.harness.alphas, pair.plain.alphas, strict=True):
        torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=1e-8, atol=1e-10)
    for ours, theirs in zip(pair.harness.weights, pair.plain.net.parameters(), strict=True):
        torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=1e-7, atol=1e-9)
    if not space.startswith("darts."):  # the Hessian is computed by the readable network, at a second of a step a row
        torch.testing.assert_close(pair.hessian(), pair.plain_hessian(), rtol=1e-7, atol=1e-9)
    if name == "sdarts-adv":
        for ours, theirs in zip(pair.attack(), pair.plain_attack(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["darts", "sdarts-adv"])
def test_both_take_the_same_steps_on_texts(pairs: Any, name: str) -> None:
    from recurrent import TextPair

    pair = TextPair(name, channels=6, columns=5, rows=4, words=11, dropout=False, dtype=torch.float64)
    for _ in range(3):
        assert float(pair.step()) == pytest.approx(pair.plain_step(), rel=1e-9)
    for ours, theirs in zip(
        (*pair.harness.alphas, *pair.harness.weights), (*pair.plain.alphas, *pair.plain.net.parameters()), strict=True
    ):
        torch.testing.assert_close(ours.detach(), theirs.detach(), rtol=1e-7, atol=1e-9)
    if name == "sdarts-adv":
        for ours, theirs in zip(pair.attack(), pair.plain_attack(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)
