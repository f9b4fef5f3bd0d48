"""Every method of the registry: it searches, resumes, and is DARTS at zero strength."""

from typing import Any

import pytest
import torch

from harness.errors import HarnessError
from harness.methods import METHODS, Method, known_names, method
from harness.registry import build, plugins
from harness.searchers.base import SupernetSearcher
from harness.spaces.nasbench1shot1 import S1
from harness.spaces.nasbench201 import NASBench201
from harness.testing import MethodContract, small_search, state_of

SPACES = (NASBench201(), S1())
COMBINED = ("pc-darts + sdarts-rs", "pc-darts + sdarts-adv", "drnas + sdarts-rs", "beta-darts + darts-minus + cutout")
SEARCHES = [n for n in (*known_names(), *COMBINED) if isinstance(method(n).searcher, SupernetSearcher)]


class TestEveryMethod(MethodContract):
    @pytest.fixture(
        autouse=True, params=[(n, s) for n in SEARCHES for s in SPACES], ids=lambda p: f"{p[0]}-{p[1].name}"
    )
    def chosen(self, request: pytest.FixtureRequest) -> None:
        self.method, self.space = request.param


def states(chosen: Method, space: Any) -> list[torch.Tensor]:
    search = small_search(chosen, space)
    for epoch in range(3):
        search.train_epoch(epoch, lambda: None)
    return state_of(search)


NEUTRAL = [(k, n) for k in ("regularizers", "searchers") for n, c in plugins(k).items() if hasattr(c, "neutral")]


@pytest.mark.parametrize(("kind", "name"), NEUTRAL)
def test_zero_strength_is_darts_bit_for_bit(kind: str, name: str) -> None:
    part = build(kind, name, plugins(kind)[name].neutral)
    darts = method("darts").searcher
    neutral = Method(darts, (part,)) if kind == "regularizers" else Method(part, ())
    for space in SPACES:
        for ours, theirs in zip(states(neutral, space), states(method("darts"), space), strict=True):
            assert torch.equal(ours, theirs)


def test_every_regularizer_says_where_it_is_neutral() -> None:
    assert {n for k, n in NEUTRAL if k == "regularizers"} == set(plugins("regularizers"))


def test_full_strength_is_not_darts() -> None:
    """No regularizer is without effect."""
    plain = states(method("darts"), SPACES[0])
    for name, kind in plugins("regularizers").items():
        if "stopping" in name:  # see below
            continue
        settings: dict[str, Any] = {"alpha-warmup": {"length": 1}}.get(name, {})
        ours = states(Method(method("darts").searcher, (kind(**settings),)), SPACES[0])
        same = [a.shape == b.shape and torch.equal(a, b) for a, b in zip(ours, plain, strict=True)]
        assert not all(same), name


def test_every_part_has_a_status_and_a_paper() -> None:
    for kind in ("regularizers", "searchers"):
        for name, cls in plugins(kind).items():
            assert cls.status in ("conforms", "specified", "adapted"), name
            assert cls.paper, name


def test_channels_that_cannot_be_divided_are_explained() -> None:
    chosen = method("pc-darts").override({"partial-channels": {"k": 3}})
    with pytest.raises(HarnessError, match="4 channels cannot be divided into 3 parts"):
        small_search(chosen, SPACES[0])


def test_control_of_ms_darts_has_its_variance() -> None:
    """Two rounds of means of three points: sqrt(2/3) of the noise (weights nearly equal)."""
    ms, control = (dict(METHODS[n][1]) for n in ("ms-darts", "ms-darts-control"))
    assert ms == {"mean-shift": {}}
    assert control["random-smoothing"]["epsilon"] == pytest.approx(0.25 * (2 / 3) ** 0.5, abs=1e-3)


def stopping_search(name: str, fields: dict[str, Any], epochs: int) -> list[list[torch.Tensor]]:
    """The logits after every epoch, and the search at the end."""
    search = small_search(Method(method("darts").searcher, (build("regularizers", name, fields),)), SPACES[0])
    search.alpha_optimizer.param_groups[0]["lr"] = 0.05
    logits = []
    for epoch in range(epochs):
        search.train_epoch(epoch, lambda: None)
        logits.append([a.detach().clone() for a in search.alphas])
    return logits


def test_eigenvalue_stopping_returns_the_logits_of_twelve_epochs_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measured eigenvalue doubles with every measurement, so the rule fires as early as it may: at 22 for 10."""
    rising = iter(2.0**i for i in range(100))
    monkeypatch.setattr("harness.regularizers.early_stopping.largest_eigenvalue", lambda _: next(rising))
    logits = stopping_search("eigenvalue-stopping", {}, 25)
    assert not torch.equal(logits[21][0], logits[10][0])
    assert all(torch.equal(later[0], logits[10][0]) for later in logits[22:])


def test_skip_stopping_returns_the_last_cell_with_fewer_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter((0, 1, 2, 0, 0))
    cell = SPACES[0].parse("|skip_connect~0|+|skip_connect~0|none~1|+|none~0|none~1|none~2|")
    few = SPACES[0].parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    monkeypatch.setattr(type(SPACES[0]), "derive", lambda *_: cell if next(counts) >= 2 else few)
    logits = stopping_search("skip-stopping", {}, 5)
    assert all(torch.equal(later[0], logits[1][0]) for later in logits[2:])
    assert not torch.equal(logits[0][0], logits[1][0])


def test_a_diverging_search_ends_with_a_sentence() -> None:
    search = small_search(method("darts"), SPACES[0])
    search.training = search.training.model_copy(update={"learning_rate": 1e30, "gradient_clip": 1e30})
    with pytest.raises(HarnessError, match=r"diverged in epoch 1 \(training loss .*: its rows up to epoch 0 are"):
        search.train_epoch(0, lambda: None)
