"""BOHB over a table: Hyperband whose candidates come from a model of what was good."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
from pydantic import Field

from harness.core.errors import HarnessError
from harness.search.searchers.hyperband import Hyperband
from harness.search.searchers.table_search import Scored, TableSearch
from harness.spaces.base import Architecture, Space

SEEDS = 2**31


class BOHB(Hyperband):
    """Candidates from a tree-structured Parzen estimator fitted to the longest trainings of which there are enough.

    Falkner, Klein & Hutter, ICML 2018 (arXiv 1807.01774). The estimator is Optuna's multivariate `TPESampler`, where
    the authors' has kernels and a bandwidth of its own.
    """

    name = "bohb"
    paper = "Falkner et al., ICML 2018 (1807.01774)"
    lacks = "its model is Optuna's, not the authors'"
    status = "adapted"
    random_fraction: float = Field(0.0, ge=0, le=1)
    """Share of candidates drawn uniformly (NAS-Bench-201: 0; NAS-Bench-101: 1/3)."""
    samples: int = Field(4, ge=1)
    """Draws from the good density, of which the best is taken (NAS-Bench-201: 4; NAS-Bench-101: 64)."""

    def propose(self, search: TableSearch) -> Architecture:
        distributions = list_choices(search.space)
        enough = len(distributions) + 2
        seen = [search.memory[k] for k in search.numbers.get("trained", []) if len(search.memory[k]) >= enough]
        if not seen or search.rng.random() < self.random_fraction:
            return search.space.random(search.rng)
        picked = self._model(seen[-1], search.space, distributions, int(search.rng.integers(SEEDS)))
        return build_from_choices(search.space, picked)

    def learn(self, search: TableSearch, scored: Scored, at: int) -> None:
        super().learn(search, scored, at)
        key = f"trained-{at:04d}"
        search.memory.setdefault(key, []).append(scored)
        search.numbers["trained"] = sorted(k for k in search.memory if k.startswith("trained"))

    def _model(self, seen: list[Scored], space: Space, options: dict[str, list[Any]], seed: int) -> dict[str, Any]:
        """One candidate of the estimator fitted to these."""
        try:
            import optuna
        except ImportError:
            raise HarnessError("bohb takes its model from Optuna: pip install optuna") from None
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler = optuna.samplers.TPESampler(
                multivariate=True, n_startup_trials=0, n_ei_candidates=self.samples, seed=seed
            )
        study = optuna.create_study(sampler=sampler, direction="maximize")
        kept: dict[str, Any] = {
            name: optuna.distributions.CategoricalDistribution(range(len(o))) for name, o in options.items()
        }
        for architecture, score in seen:
            parameters = to_choices(space, architecture, options)
            study.add_trial(optuna.trial.create_trial(params=parameters, distributions=kept, value=score))
        trial = study.ask(kept)
        return {name: options[name][place] for name, place in trial.params.items()}


def list_choices(space: Space) -> dict[str, list[tuple[int, ...]]]:
    """What each row of the architecture tensors may take, by "tensor.row"."""
    return {
        f"{tensor}.{row}": list(itertools.combinations(range(shape[1]), count))
        for tensor, (shape, count) in enumerate(zip(space.alpha_shapes, space.picks, strict=True))
        for row in range(shape[0])
    }


def to_choices(space: Space, architecture: Architecture, options: dict[str, list[Any]]) -> dict[str, int]:
    """The place of what an architecture takes among each row's options."""
    mix = space.mix(architecture)
    found = {}
    for name, listed in options.items():
        tensor, row = map(int, name.split("."))
        found[name] = listed.index(tuple(int(i) for i in mix[tensor][row].nonzero()[0]))
    return found


def build_from_choices(space: Space, taken: dict[str, tuple[int, ...]]) -> Architecture:
    """The architecture that takes these."""
    rows = [np.zeros(shape) for shape in space.alpha_shapes]
    for name, picks in taken.items():
        tensor, row = map(int, name.split("."))
        rows[tensor][row, list(picks)] = 1.0
    return space.derive(rows)
