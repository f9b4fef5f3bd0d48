"""Shapley values: closed forms of additive accuracies, what they sum to, and how alpha moves by them."""

from typing import Any

import pytest
import torch

from harness.search.loop import SupernetSearch
from harness.search.methods import Method, build_method
from harness.search.regularizers.shapley import Shapley, standardize
from harness.spaces.nasbench201.space import NASBench201
from harness.testing.contracts import make_small_search

SPACE = NASBench201()


def searching(**fields: Any) -> tuple[Shapley, SupernetSearch]:
    part = Shapley(**fields)
    return part, make_small_search(Method(build_method("darts").searcher, (part,)), SPACE, epochs=4)


def test_of_an_additive_accuracy_they_are_its_terms(monkeypatch: pytest.MonkeyPatch) -> None:
    """In any order, so that nothing is subtracted for their spread; alpha then moves by the standardized terms."""
    terms = torch.rand(6, 5, generator=torch.Generator().manual_seed(0))
    monkeypatch.setattr(SupernetSearch, "accuracy", lambda self, mix, *_: float((terms * (mix[0] > 0)).sum()))
    part, search = searching(samples=3, threshold=0, momentum=0, step=0.5)
    assert torch.allclose(part.values(search)[0], terms, atol=1e-5)
    before = search.alphas[0].detach().clone()
    part.after_epoch(search, search.moment(0))
    assert torch.equal(search.alphas[0], before)  # half of the epochs train weights alone
    part.after_epoch(search, search.moment(1))
    z = (terms - terms.mean()) / terms.std()
    assert torch.allclose(search.alphas[0] - before, 0.5 * z, atol=1e-4)
    assert standardize(torch.ones(2, 3)).abs().max() == 0


def test_losses_of_an_order_sum_to_what_there_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of any accuracy, here the product of two shares, until the order ends."""

    def accuracy(self: Any, mix: Any, *_: Any) -> float:
        there = (mix[0] > 0).double()
        return 100 * float(there[:3].mean() * there.mean())

    monkeypatch.setattr(SupernetSearch, "accuracy", accuracy)
    whole, search = searching(threshold=0)
    mix = search.searcher.relax(search.alphas)
    players = [(0, row, option) for row in range(6) for option in range(5)]
    assert float(whole.order(search, mix, players)[0].sum()) == pytest.approx(100, abs=1e-3)
    half, search = searching(threshold=0.5)
    lost = half.order(search, mix, players)[0]
    assert 50 < float(lost.sum()) < 75 and 1 < int((lost != 0).sum()) < 30
