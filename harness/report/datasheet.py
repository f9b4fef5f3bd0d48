"""The data sheet of a trained table: how it was made, how noisy it is, what it must not be used for."""

from __future__ import annotations

import itertools
import textwrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.plots.distribution import save_distribution
from harness.spaces.base import require_enumerable
from harness.tables.measure import Measure, digest
from harness.tables.table import Table


def correlate_measurements(first: NDArray[Any], second: NDArray[Any]) -> tuple[float, float]:
    """Spearman correlation of two measurements of the same cells: over all, and over those in the better half by
    their mean."""
    from scipy.stats import spearmanr

    mean = (first + second) / 2
    better = mean >= np.median(mean)
    return float(spearmanr(first, second)[0]), float(spearmanr(first[better], second[better])[0])


def correct_for_trials(single: float, trials: int) -> float:
    """Reliability of the mean over `trials`, from that of one (Spearman-Brown)."""
    return trials * single / (1 + (trials - 1) * single)


def find_distinct_rows(table: Table) -> NDArray[np.intp]:
    """One row of each distinct cell, so that copies do not inflate a correlation."""
    keys: dict[str, str] = {}
    for architecture in require_enumerable(table.space, "a data sheet").enumerate():
        keys.setdefault(table.space.canonical_key(architecture), architecture.key)
    stored = {int(k): i for i, k in enumerate(table.digests)}
    return np.array([stored[k] for k in digest(list(keys.values())).tolist() if k in stored])


def measure_noise(table: Table, measure: Measure) -> dict[str, float]:
    """How well the table tells cells apart: rank correlation between trials and of their mean, and the spread."""
    rows = find_distinct_rows(table)
    trials = table.vector_all(measure)[:, rows]
    count = len(trials)
    mean = trials.mean(axis=0)
    found = {
        "distinct cells": float(len(rows)),
        "trials": float(count),
        "accuracy_min": float(mean.min()),
        "accuracy_median": float(np.median(mean)),
        "accuracy_max": float(mean.max()),
    }
    if count > 1:
        pairs = [correlate_measurements(trials[a], trials[b]) for a, b in itertools.combinations(range(count), 2)]
        whole, better = (float(np.mean(side)) for side in zip(*pairs, strict=True))
        found |= {
            "one_trial_all": whole,
            "one_trial_better_half": better,
            "mean_all": correct_for_trials(whole, count),
            "mean_better_half": correct_for_trials(better, count),
            "trial_sd": float(np.sqrt(trials.var(axis=0, ddof=1).mean())),
        }
    return found


SHEET = """\
# {name}

{title}.

![distribution](distribution.png)

**Made by** `harness tables train {space}` ({written_by}): one network for each of the {cells:,.0f} distinct cells,
whose values stand at all {rows} keys. {same}

**Network.** {skeleton}, {channels} channels at the first stage; {steps} steps of {batch_size} fresh pairs, Adam,
learning rate {learning_rate} to zero by a cosine. Networks of one trial see the same batches and begin with the same
weights.

**Data.** `digits100`: two of scikit-learn's handwritten digits side by side, 8x16 pixels, Gaussian noise 0.2, 100
classes. Digits of the training, validation and test pairs are disjoint (599 each); 1,000 fixed pairs measure each
split. `x-valid` and `x-test` are measured after each of {epochs} epochs ({per_epoch} steps each).

**Best** (test, mean over trials): {best:.2f} % accuracy, `{best_cell}`.

**How noisy** (test, distinct cells, {trials:.0f} trials): {noise}

**Do not use it** to claim anything about the benchmark's own numbers, CIFAR-10, or networks of another size: short
training rewards cells that learn fast. It is for tests, demonstrations, and for studying searches against a ground
truth that anyone can recompute, cell by cell (`{space}.trained` is the same training on demand).
"""


def write_datasheet(table: Table) -> None:
    """Write DATASHEET.md and its figure into the table's folder, every number from the table itself."""
    from harness.tables.training.train import stack_class

    kind, best = stack_class(table.space), table.optimum(table.test)
    save_distribution(table, find_distinct_rows(table), table.folder)
    found = measure_noise(table, table.test)
    recipe, title = table.info["about"]["recipe"], table.info["about"]["title"]
    spread = (
        f"accuracy from {found['accuracy_min']:.1f} % to {found['accuracy_max']:.1f} %, "
        f"median {found['accuracy_median']:.1f} %."
    )
    if "trial_sd" in found:
        spread = (
            f"{spread} Standard deviation between trials of one cell {found['trial_sd']:.2f} points. Rank correlation "
            f"between two trials {found['one_trial_all']:.3f} over all cells, {found['one_trial_better_half']:.3f} in "
            f"the better half; of the mean over the trials (Spearman-Brown) {found['mean_all']:.3f} and "
            f"{found['mean_better_half']:.3f}."
        )
    text = SHEET.format(
        name=table.name,
        title=title[0].upper() + title[1:],
        written_by=table.info["written_by"],
        cells=found["distinct cells"],
        rows=f"{len(table):,}",
        per_epoch=recipe["steps"] // recipe["epochs"],
        trials=found["trials"],
        space=table.info["space"],
        same=kind.same,
        skeleton=kind.skeleton,
        best=best.accuracy_pct,
        best_cell=best.encoding,
        noise=spread,
        **{k: recipe[k] for k in ("channels", "steps", "batch_size", "learning_rate", "epochs")},
    )
    paragraphs = [
        p if p[0] in "#!" else textwrap.fill(p, 120, break_on_hyphens=False, break_long_words=False)
        for p in text.strip().split("\n\n")
    ]
    (table.folder / "DATASHEET.md").write_text("\n\n".join(paragraphs) + "\n", encoding="utf-8")
