"""What is suspicious in the logs of searches, own or imported, each with its evidence and how sure it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

from harness.results.runs import Runs
from harness.spaces.base import Space
from harness.stats.intervals import Floats
from harness.verdicts.rates import find_shifted_rates

if TYPE_CHECKING:
    import pandas as pd

Sure = Literal["certain", "likely", "possible"]
SERIES = ("train_loss", "search_valid_loss", "supernet_accuracy_pct")
FROZEN = 5e-4
"""Weights that move by no more in a whole search stand still. Weights of four decimals may move by .0002 for rounding
alone; a search moves them by more in its first epoch."""
SOME = 5
"""Epochs below which a log says nothing of a trend."""
SAME_SHARE = 0.8
"""From this share of its epochs on, a run's accuracies are those of the table and not the one-shot network's."""
ROUNDING = 0.005
EXCHANGED = "accuracies stand where errors should"
ALIKE = 0.8
"""Rank correlation of an accuracy with the loss of the same images from which one of them is the other way round."""
TREND = 0.5
"""Rank correlation with the epoch from which a series rises or falls."""
FALL = 2.0
"""Percentage points that an accuracy has to fall by to be told."""
JUMP = 10.0
"""Times the median change from one epoch to the next: more is another phase of training."""
LEAST_JUMP = 0.3
"""Nats of training loss below which no jump is told."""
LEARNS = 0.95
"""Share of its first training loss that a network that learns gets below."""


@dataclass(frozen=True)
class Finding:
    """method, seed: of the run (of several: the first). what: in a few words. evidence: the numbers that show it."""

    method: str
    seed: int
    what: str
    sure: Sure
    evidence: str

    def row(self) -> dict[str, Any]:
        return {
            "method": self.method,
            "seed": self.seed,
            "finding": self.what,
            "sure": self.sure,
            "evidence": self.evidence,
        }

    numbers = row


def audit(runs: Runs) -> list[Finding]:
    """Everything suspicious in finished runs, the surest first."""
    found: list[Finding] = []
    for (method, seed), run in split_runs(runs.epochs).items():
        found += [Finding(method, seed, *told) for told in iterate_suspicions(run, runs.space)]
        if (own := find_table_accuracies(runs, method, seed, run)) is not None:
            found.append(Finding(method, seed, *own))
    found += find_identical_runs(runs.epochs, shared=runs.design is not None and bool(runs.design.varied))
    order: tuple[Sure, ...] = ("certain", "likely", "possible")
    return sorted(found, key=lambda f: order.index(f.sure))


def split_runs(epochs: pd.DataFrame) -> dict[tuple[str, int], pd.DataFrame]:
    """The rows of each run by epoch, by its method and seed."""
    found: dict[tuple[str, int], pd.DataFrame] = {}
    if "supernet_accuracy_pct" not in epochs:  # of networks that are measured otherwise, such as language models
        epochs = epochs.assign(supernet_accuracy_pct=np.nan)
    for key, rows in epochs.groupby(["method", "seed"], sort=False):
        method, seed = cast(tuple[str, int], key)
        found[method, int(seed)] = rows.sort_values("epoch", ignore_index=True)
    return found


def iterate_suspicions(run: pd.DataFrame, space: Space | None) -> Iterator[tuple[str, Sure, str]]:
    """Those of one run. run: its rows by epoch."""
    exchanged = list(find_exchanged_errors(run))
    frozen = list(find_frozen_weights(run, space))
    yield from exchanged
    yield from frozen
    yield from find_unchanged_cell(run, bool(frozen))
    yield from find_lost_epochs(run)
    yield from find_doubled_epochs(run)
    if not exchanged:
        yield from find_falling_accuracy(run)
    yield from find_phases(run)
    yield from ((what, "certain", evidence) for what, evidence in find_shifted_rates(run))
    yield from find_dead_network(run)
    yield from find_leading_zero(run, space)


# -- alphas and cells ----------------------------------------------------------------------------------------------


def compute_weights(run: pd.DataFrame, space: Space | None) -> list[Floats]:
    """The mixing weights of each architecture tensor, [epochs, choices, options]; [] where the log has none."""
    if space is None or run["alphas"].map(len).min() == 0:
        return []
    logits = np.stack(run["alphas"].map(lambda a: np.asarray(a, dtype=float)).to_list())
    ends = np.cumsum([a * b for a, b in space.alpha_shapes])
    if logits.shape[1] != ends[-1]:
        return []
    parts = np.split(logits, ends[:-1], axis=1)
    found = []
    for part, shape in zip(parts, space.alpha_shapes, strict=True):
        own = part.reshape(len(run), *shape)
        own = np.exp(own - own.max(axis=-1, keepdims=True))
        found.append(own / own.sum(axis=-1, keepdims=True))
    return found


def find_frozen_weights(run: pd.DataFrame, space: Space | None) -> Iterator[tuple[str, Sure, str]]:
    """Architecture weights that never move beyond the precision of a print."""
    weights = compute_weights(run, space)
    if len(run) < SOME or not weights:
        return
    most = max(float((w.max(axis=0) - w.min(axis=0)).max()) for w in weights)
    if most <= FROZEN:
        yield (
            "the architecture is not searched",
            "certain",
            f"no mixing weight moves by more than {most:.1e} in {len(run)} epochs: the cell is the initial noise's",
        )


def find_unchanged_cell(run: pd.DataFrame, frozen: bool) -> Iterator[tuple[str, Sure, str]]:
    """One cell after every epoch."""
    cells = run["architecture"].unique()
    if len(run) >= SOME and len(cells) == 1:
        first, last = run["epoch"].iloc[0], run["epoch"].iloc[-1]
        why = "" if frozen else "; it was decided before, or in the first epoch"
        yield (
            "the derived cell never changes",
            "certain" if frozen else "possible",
            f"the same from epoch {first} to {last}: {cells[0]}{why}",
        )


def find_leading_zero(run: pd.DataFrame, space: Space | None) -> Iterator[tuple[str, Sure, str]]:
    """The operation of nothing has the largest weight of a choice, which a derivation that leaves it out hides."""
    if space is None or space.zero is None or not (weights := compute_weights(run, space)):
        return
    in_front = total = 0
    for values, choices in zip(weights, space.tensors, strict=True):
        if choices.kind != "operations":
            continue
        for row, options in zip(values[-1], choices.options, strict=True):
            total += space.zero in options
            in_front += space.zero in options and int(row.argmax()) == options.index(space.zero)
    if in_front:
        yield (
            f"{space.zero} is in front",
            "certain",
            f"after epoch {run['epoch'].iloc[-1]} it has the largest weight in {in_front} of {total} choices",
        )


# -- numbers that cannot be, or are another's ------------------------------------------------------------------------


def find_exchanged_errors(run: pd.DataFrame) -> Iterator[tuple[str, Sure, str]]:
    """Accuracies that the loss of the same images rules out. Each image that is classified wrongly costs ln 2 at least,
    so no more than loss / ln 2 of them can be."""
    known = run.dropna(subset=["search_valid_loss", "supernet_accuracy_pct"])
    if known.empty:
        return
    accuracy, loss = (known[c].to_numpy(dtype=float) for c in ("supernet_accuracy_pct", "search_valid_loss"))
    error, limit = 1 - accuracy / 100, loss / np.log(2)
    ruled_out = error > limit + ROUNDING
    if ruled_out.any():
        worst = int((error - limit).argmax())
        told = (
            f"at {int(ruled_out.sum())} of {len(known)} epochs; after epoch {known['epoch'].iloc[worst]} accuracy "
            f"{accuracy[worst]:.2f} %, loss {loss[worst]:.3f}, which allows {100 * limit[worst]:.1f} % errors at most"
        )
        other = (1 - error <= limit + ROUNDING).all()
        yield EXCHANGED if other else "accuracies that their own loss rules out", "certain", told
    elif len(known) >= 2 * SOME and np.ptp(accuracy) >= FALL and (alike := rank_correlation(accuracy, loss)) >= ALIKE:
        told = (
            f"accuracy goes from {accuracy[0]:.2f} to {accuracy[-1]:.2f} % while the loss of the same images goes from "
            f"{loss[0]:.3f} to {loss[-1]:.3f}; they rise and fall together (rank correlation {alike:.2f})"
        )
        yield EXCHANGED, "likely", told


def find_table_accuracies(runs: Runs, method: str, seed: int, run: pd.DataFrame) -> tuple[str, Sure, str] | None:
    """Accuracies of the one-shot network that are the table's of the derived cells."""
    lookups = runs.lookups
    if lookups.empty or run["supernet_accuracy_pct"].isna().all():
        return None
    own = lookups[(lookups["method"] == method) & (lookups["seed"] == seed)]
    both = own.merge(run[["epoch", "supernet_accuracy_pct"]], on="epoch")
    both["same"] = (both["accuracy_pct"] - both["supernet_accuracy_pct"]).abs() <= ROUNDING
    shares = both.groupby(["dataset", "split", "table_epochs", "trial"], sort=False)["same"].mean()
    if shares.empty or shares.max() < SAME_SHARE or len(run) < SOME:
        return None
    dataset, split, epochs, trial = cast(tuple[str, str, int, str], shares.idxmax())
    told = (
        f"{dataset}/{split}@{epochs}, trial {trial}, of the derived cell, in {100 * shares.max():.0f} % of the epochs"
    )
    return "its accuracies are the table's", "certain", told


def find_identical_runs(epochs: pd.DataFrame, *, shared: bool) -> Iterator[Finding]:
    """Runs whose numbers are equal to the last digit; of one method, also those that begin so. Runs of two methods
    with one seed may well begin alike: the same network on the same batches; so may all where runs share draws
    (`shared`)."""
    series: dict[tuple[str, int], Floats] = {}
    for key, run in split_runs(epochs).items():
        values = run[list(SERIES)].to_numpy(dtype=float)
        if len(values) and not np.isnan(values[0]).all():
            series[key] = np.nan_to_num(values, nan=-1.0)
    seen: dict[bytes, tuple[str, int]] = {}
    for (method, seed), values in series.items():
        first = seen.setdefault(values[0].tobytes(), (method, seed))
        if first == (method, seed):
            continue
        other = series[first]
        length = min(len(values), len(other))
        equal = (values[:length] == other[:length]).all(axis=1)
        count = length if equal.all() else int(np.argmin(equal))
        whole = count == length
        if not whole and (shared or first[0] != method):
            continue
        yield Finding(
            method,
            seed,
            "two runs are one" if whole else "two runs begin as one",
            "certain" if count > 1 else "possible",
            f"losses and accuracies of {count} of {length} epochs are equal to the last digit to those of {first[0]}, "
            f"seed {first[1]}",
        )


# -- epochs --------------------------------------------------------------------------------------------------------


def find_lost_epochs(run: pd.DataFrame) -> Iterator[tuple[str, Sure, str]]:
    """Epochs that the log leaps over, where it has every one else."""
    steps = np.diff(run["epoch"].to_numpy())
    if len(steps) < 2 or np.median(steps) != 1:
        return
    gaps = np.flatnonzero(steps > 1)
    if len(gaps):
        at = ", ".join(f"{run['epoch'].iloc[g]} to {run['epoch'].iloc[g + 1]}" for g in gaps[:3])
        yield "epochs are lost", "certain", f"{int((steps[gaps] - 1).sum())} of them, from {at}"


def find_doubled_epochs(run: pd.DataFrame) -> Iterator[tuple[str, Sure, str]]:
    """Epochs with the numbers of the one before."""
    values = run[list(SERIES)].to_numpy(dtype=float)
    known = ~np.isnan(values).all(axis=1)
    same = (np.diff(np.nan_to_num(values, nan=-1.0), axis=0) == 0).all(axis=1) & known[1:] & known[:-1]
    if same.any():
        at = ", ".join(str(run["epoch"].iloc[i + 1]) for i in np.flatnonzero(same)[:3])
        yield "epochs are doubled", "likely", f"{int(same.sum())} have all numbers of the one before: {at}"


def find_phases(run: pd.DataFrame) -> Iterator[tuple[str, Sure, str]]:
    """A training loss that leaps up within the log: another phase, a restart, or a change of the network."""
    loss = run["train_loss"].to_numpy(dtype=float)
    changes = np.diff(loss)
    if len(changes) < 2 * SOME or np.isnan(changes).any():
        return
    usual = float(np.median(np.abs(changes)))
    worst = int(np.argmax(changes))
    if changes[worst] > max(JUMP * usual, LEAST_JUMP):
        yield (
            "another phase begins within the log",
            "possible",
            f"training loss leaps from {loss[worst]:.3f} to {loss[worst + 1]:.3f} after epoch "
            f"{run['epoch'].iloc[worst]}, {changes[worst] / max(usual, 1e-12):.0f} times the usual change",
        )


def correlate_with_time(values: Floats) -> float:
    """The rank correlation of values with the order in which they came."""
    return rank_correlation(values, np.arange(len(values), dtype=float))


def rank_correlation(first: Floats, second: Floats) -> float:
    """Spearman's; 0 of what never changes."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    from scipy.stats import spearmanr

    return float(spearmanr(first, second).statistic)


def find_falling_accuracy(run: pd.DataFrame) -> Iterator[tuple[str, Sure, str]]:
    """The one-shot network's accuracy falls after its best epoch, while the training loss goes on falling."""
    known = run.dropna(subset=["train_loss", "supernet_accuracy_pct"])
    if len(known) < 2 * SOME:
        return
    accuracy, loss = (known[c].to_numpy(dtype=float) for c in ("supernet_accuracy_pct", "train_loss"))
    best = int(accuracy.argmax())
    rest = slice(best, None)
    fall = accuracy[best] - float(np.median(accuracy[-SOME:]))
    if (
        len(accuracy) - best < 2 * SOME
        or fall < FALL
        or correlate_with_time(accuracy[rest]) > -TREND
        or correlate_with_time(loss[rest]) > -TREND
    ):
        return
    yield (
        "accuracy falls while the loss falls",
        "likely",
        f"from {accuracy[best]:.2f} % after epoch {known['epoch'].iloc[best]} by {fall:.2f} points (median of the last "
        f"{SOME} epochs), while the training loss falls from {loss[best]:.3f} to {loss[-1]:.3f}",
    )


def find_dead_network(run: pd.DataFrame) -> Iterator[tuple[str, Sure, str]]:
    """A training loss that never gets below what it was."""
    loss = run["train_loss"].dropna().to_numpy(dtype=float)
    if len(loss) >= 2 * SOME and loss[-1] > LEARNS * loss[0]:
        yield (
            "the network does not learn",
            "likely",
            f"training loss {loss[0]:.3f} after the first epoch, {loss[-1]:.3f} after the last",
        )
