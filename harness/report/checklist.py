"""What good practice asks of a NAS study, answered from its runs as far as they can know.

After the checklist of Lindauer & Hutter, Best Practices for Scientific Research on Neural Architecture Search, JMLR 21
(243), 2020; the questions are put in our words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from harness.results.frames import APART, Results, search_seconds
from harness.results.load import Finished
from harness.verdicts.baseline import flat
from harness.verdicts.compare import Pair

SOURCE = "Lindauer & Hutter, Best Practices for Scientific Research on NAS, JMLR 21(243), 2020"
Answer = Literal["yes", "no", "partly", "yours to say"]
CONFOUNDERS = ("harness", "torch", "numpy", "device", "threads", "precision")
"""What of the environment may change a result or its time."""


@dataclass(frozen=True)
class Item:
    """part: release, comparison or reporting. says: what the runs say about it."""

    part: str
    question: str
    answer: Answer
    says: str


def checklist(found: Finished, pairs: Sequence[Pair]) -> list[Item]:
    """Every item, in the order of the paper."""
    return [*release(found), *comparison(found, pairs), *reporting(found)]


def release(found: Finished) -> Iterator[Item]:
    results, part = found.results, "Release"
    table, known = results.table, bool(found.manifests)
    versions = same(found, "environment.harness"), same(found, "environment.torch")
    yield Item(
        part,
        "Is the code of the search there?",
        "yes" if known else "yours to say",
        f"nasbench-harness {versions[0]}, torch {versions[1]}" if known else "imported logs do not hold it",
    )
    space = results.space
    yield Item(
        part,
        "Is the search space, exactly?",
        "yes" if space else "no",
        f"{space.name}: {space.source}" if space else "it is not known",
    )
    yield Item(
        part,
        "Is the pipeline that trains what was found, with its hyperparameters?",
        "yes" if table else "no",
        f"table {table.name}, fingerprint {table.fingerprint[:12]}, judged by {table.test}"
        if table
        else "there is no table: all errors are the supernet's on its validation half",
    )
    yield Item(
        part,
        "Are the hyperparameters of every method?",
        "yes" if known else "yours to say",
        "each run's manifest, below, has every default written out" if known else "imported logs do not hold them",
    )
    seeds = results.epochs.groupby("method", sort=False)["seed"].unique()
    told = {json.dumps(sorted(map(int, s))) for s in seeds}
    yield Item(
        part,
        "Are the random seeds?",
        "yes",
        f"{next(iter(told))} of every method"
        if len(told) == 1
        else "; ".join(f"{m}: {sorted(map(int, s))}" for m, s in seeds.items()),
    )


def comparison(found: Finished, pairs: Sequence[Pair]) -> Iterator[Item]:
    results, part = found.results, "Comparison"
    table, methods = results.table, list(results.epochs["method"].unique())
    settings = differing(found, ("configuration.",), without=("configuration.method.", "configuration.seed"))
    yield unknown_or(
        found,
        part,
        "Do all methods use the same data, space, training and budget?",
        settings,
        "every setting outside of the methods themselves is equal",
    )
    confounders = differing(found, tuple(f"environment.{c}" for c in CONFOUNDERS))
    yield unknown_or(
        found, part, "Are hardware and libraries the same?", confounders, "equal for all runs; named in the manifests"
    )
    yield Item(
        part,
        "Are parts of a method left out one by one?",
        "yours to say",
        f"the methods here are {', '.join(methods)}; a regularizer with neutral settings is DARTS, bit for bit",
    )
    lengths = results.epochs.groupby(["method", "seed"])["epoch"].max()
    uneven = "" if lengths.nunique() == 1 else f"; runs end at epochs {sorted(map(int, lengths.unique()))}"
    yield Item(
        part,
        "Is the same protocol evaluated over time?",
        "partly" if uneven else "yes",
        f"the architecture of every epoch from {int(results.epochs['epoch'].min())} on, in {len(results)} runs{uneven}",
    )
    random = [m for m in methods if "random" in searcher_of(found, m)]
    level = f"the table's median architecture has {results.levels()[1]:.2f} % error" if table else ""
    yield Item(
        part,
        "Is random search compared with?",
        "yes" if random else "partly" if level else "no",
        "; ".join(t for t in (f"ran: {', '.join(random)}" if random else "none ran", level) if t),
    )
    n = results.epochs.groupby("method")["seed"].nunique()
    enough = bool(pairs) and all(p.reachable for p in pairs)
    yield Item(
        part,
        "Are there enough runs, and are tests reported?",
        "yes" if enough else "no" if n.max() == 1 else "partly",
        f"{n.min()}{f' to {n.max()}' if n.max() > n.min() else ''} seeds a method; "
        + (
            "exact tests, intervals and effect sizes below"
            if enough
            else "too few for any difference to be significant"
        ),
    )
    yield Item(
        part,
        "Was it said beforehand what would be compared?",
        "yes" if found.standing.startswith("declared") else "no",
        f"{found.declared.primary} error: {found.standing}",
    )
    yield Item(
        part,
        "Does it rest on a tabular benchmark?",
        "yes" if table else "no",
        f"{len(table):,} architectures, {len(table.trials(table.test))} trials of {table.test}"
        if table
        else "no table",
    )


def reporting(found: Finished) -> Iterator[Item]:
    part = "Reporting"
    yield Item(
        part,
        "How were hyperparameters tuned, and at what cost?",
        "yours to say",
        "runs do not know what came before them",
    )
    yield Item(part, "How long does a whole search take?", *duration_of(found.results))
    same_device = same(found, "environment.device")
    yield Item(
        part,
        "Are all details of the setup there?",
        "yes" if found.manifests else "partly",
        f"configuration and environment of every run, below; {same_device}"
        if found.manifests
        else "as far as the log has them",
    )


def duration_of(results: Results) -> tuple[Answer, str]:
    """Median seconds a run by method; without probes and lookups where these were measured apart."""
    timing = results.timing
    last = timing.sort_values("epoch").groupby(["method", "seed"], sort=False).last()
    if last["wall_s"].isna().all():
        return "no", "the logs have no times"
    wall = last["wall_s"].groupby("method", sort=False).median()
    told = ", ".join(f"{m} {s:.1f} s" for m, s in wall.items())
    if not any(c in last and last[c].notna().any() for c in APART):
        return "yes", f"{told} (median wall time; probes and lookups are in it)"
    search = search_seconds(last).groupby("method", sort=False).median()
    alone = ", ".join(f"{m} {s:.1f} s" for m, s in search.items())
    return "yes", f"{alone} of search alone; with probes and lookups {told} (medians)"


def searcher_of(found: Finished, method: str) -> str:
    """The parts that a method is made of, or its name where they are not known."""
    for manifest in found.manifests:
        if manifest["method_name"] == method:
            return str(next(iter(manifest["configuration"]["method"])))
    return method


def unknown_or(found: Finished, part: str, question: str, differences: list[str], equal: str) -> Item:
    if not found.manifests:
        return Item(part, question, "yours to say", "imported logs do not hold it")
    return Item(part, question, "partly" if differences else "yes", "; ".join(differences) or equal)


def differing(found: Finished, keys: tuple[str, ...], without: tuple[str, ...] = ()) -> list[str]:
    """What of these keys is not equal in all runs, with its values."""
    frame = pd.DataFrame([dict(flat(m)) for m in found.manifests])
    chosen = [c for c in frame if str(c).startswith(keys) and not (without and str(c).startswith(without))]
    return [
        f"{str(c).partition('.')[2]}: {', '.join(sorted(map(str, frame[c].dropna().unique())))}"
        for c in chosen
        if frame[c].nunique(dropna=False) > 1
    ]


def same(found: Finished, key: str) -> str:
    """A value of the manifests; all of them where they differ."""
    return ", ".join(sorted({dict(flat(m)).get(key, "unknown") for m in found.manifests})) or "unknown"
