"""What good practice asks of an empirical study, answered from its runs as far as they can know.

After the guidelines of the COSEAL research network (Eimer et al., arXiv 2512.16491, 2025), from the question to its
presentation, and the checklist of Lindauer & Hutter for NAS (JMLR 21(243), 2020); the questions are put in our words.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from harness.results.frames import APART, compute_search_seconds
from harness.results.provenance import describe_code
from harness.results.runs import Runs
from harness.verdicts.baseline import flatten_values
from harness.verdicts.collapse import compute_base_rate, describe_rule
from harness.verdicts.compare import Pair, describe_left_out

SOURCE = (
    "Eimer et al., Best Practices for Empirical Meta-Algorithmic Research (COSEAL), arXiv 2512.16491, 2025; Lindauer & "
    "Hutter, Best Practices for Scientific Research on NAS, JMLR 21(243), 2020"
)
Answer = Literal["yes", "no", "partly", "yours to say"]
CONFOUNDERS = ("harness", "torch", "numpy", "device", "threads", "precision")
"""What of the environment may change a result or its time."""


@dataclass(frozen=True)
class Item:
    """part: of the way from a question to its presentation. says: what the runs say about it."""

    part: str
    question: str
    answer: Answer
    says: str


def build_checklist(runs: Runs, pairs: Sequence[Pair]) -> list[Item]:
    """Every item, in the order of a study."""
    parts = (
        answer_questions(runs),
        answer_design(runs),
        answer_execution(runs),
        answer_analysis(runs, pairs),
        answer_presentation(runs),
    )
    return [item for part in parts for item in part]


def answer_questions(runs: Runs) -> Iterator[Item]:
    part, declared = "Question", runs.declared
    yield Item(
        part,
        "Does it test a hypothesis, or explore?",
        "yes" if runs.is_declared else "partly",
        f"confirmatory: {runs.standing}" if runs.is_declared else runs.standing,
    )
    yield Item(
        part,
        "Was it said beforehand what would be compared, and by what?",
        "yes" if runs.is_declared else "no",
        f"{declared.endpoint} {runs.scale.error} at level {declared.level:g}, against "
        f"{declared.baseline or 'the first method'}",
    )
    yield Item(part, "What was tried before, and how was the setting chosen?", "yours to say", PILOTS)


UNLIKE = ("configuration.method.", "configuration.seed", "configuration.randomness")
"""What runs of a study differ in on purpose."""
PILOTS = "runs do not know of pilots: publish them beside"


def answer_design(runs: Runs) -> Iterator[Item]:
    part = "Design"
    table, methods = runs.table, list(runs.epochs["method"].unique())
    yield Item(
        part,
        "Is the search space known, exactly?",
        "yes" if runs.space else "no",
        f"{runs.space.name}: {runs.space.source}" if runs.space else "it is not known",
    )
    yield Item(
        part,
        "Does it rest on a benchmark that others have, and is its noise known?",
        "no" if table is None else "yes" if len(table.seeds(table.test)) > 1 else "partly",
        "no table: all values are the supernet's on its validation half"
        if table is None
        else f"table {table.name}, fingerprint {table.fingerprint[:12]}, {len(table):,} architectures, judged by "
        f"{table.test}, {len(table.seeds(table.test))} single trials",
    )
    random = [m for m in methods if "random" in describe_searcher(runs, m)]
    scale = runs.scale
    level = (
        f"the table's median architecture has {scale.told(runs.reference_errors()[1])} {scale.error}" if table else ""
    )
    yield Item(
        part,
        "Are there simple baselines, such as random search?",
        "yes" if random else "partly" if level else "no",
        "; ".join(t for t in (f"ran: {', '.join(random)}" if random else "none ran", level) if t),
    )
    varied = list_shared_draws(runs)
    apart = tuple(f"configuration.supernet.{name}" for name in varied)
    settings = list_differing(runs, ("configuration.",), without=UNLIKE + apart)
    yield answer_if_known(
        runs,
        part,
        "Do all methods get the same data, space and training settings?",
        settings,
        "every setting outside of the methods themselves is equal; what they cost is told below",
    )
    yield Item(
        part,
        "Were hyperparameters tuned alike, and at what cost?",
        "yours to say",
        "runs do not know what came before them",
    )
    yield Item(
        part,
        "Are parts of a method left out one by one?",
        "yours to say",
        f"the methods here are {', '.join(methods)}; a regularizer with neutral settings is DARTS, bit for bit",
    )
    n = runs.epochs.groupby("method")["seed"].nunique()
    yield Item(
        part,
        "Are there enough repetitions?",
        "no" if n.max() == 1 else "partly" if varied or n.min() < ENOUGH else "yes",
        f"{n.min()} points of a design a method, in which {', '.join(varied)} vary by themselves: they share draws"
        if varied
        else f"{n.min()}{f' to {n.max()}' if n.max() > n.min() else ''} seeds a method; below, what so many can show",
    )


def list_shared_draws(runs: Runs) -> tuple[str, ...]:
    """What of the randomness varies by itself, so that runs share the rest; nothing where each has its own."""
    return runs.design.varied if runs.design else ()


ENOUGH = 10
"""Repetitions that the field's guidelines ask for where they can be had."""


def describe_seeds(runs: Runs) -> str:
    """The seeds of every method."""
    if varied := list_shared_draws(runs):
        return f"those of every point of the design ({', '.join(varied)}) are in its run's manifest"
    seeds = runs.epochs.groupby("method", sort=False)["seed"].unique()
    told = {json.dumps(sorted(map(int, s))) for s in seeds}
    if len(told) == 1:
        return f"{next(iter(told))} of every method"
    return "; ".join(f"{m}: {sorted(map(int, s))}" for m, s in seeds.items())


def answer_execution(runs: Runs) -> Iterator[Item]:
    part, known = "Execution", bool(runs.manifests)
    yield Item(
        part,
        "Are the random seeds known?",
        "yes",
        describe_seeds(runs),
    )
    yield Item(
        part,
        "Is the code known that ran?",
        "yes" if known and not describe_code(runs.manifests) else "partly" if known else "yours to say",
        "; ".join(
            [
                f"nasbench-harness {describe_value(runs, 'environment.harness')}, "
                f"torch {describe_value(runs, 'environment.torch')}",
                *describe_code(runs.manifests),
            ]
        )
        if known
        else "imported logs do not hold it",
    )
    confounders = list_differing(runs, tuple(f"environment.{c}" for c in CONFOUNDERS))
    yield answer_if_known(
        runs, part, "Are hardware and libraries the same?", confounders, "equal for all runs; named in the manifests"
    )
    yield Item(
        part,
        "Are hyperparameters and environment logged with every run?",
        "yes" if known else "partly",
        "each run's manifest, below, has every default written out" if known else "as far as the log has them",
    )
    lost = [f"{runs.missing} runs are not finished"] if runs.missing else []
    all_seeds = set(runs.epochs["seed"])
    for method, rows in runs.epochs.groupby("method", sort=False):
        if absent := sorted(all_seeds - set(rows["seed"])):
            lost.append(f"{method} has no run of seed {', '.join(map(str, absent))}, which other methods have")
    short = runs.list_short()
    lost += [f"left out: {describe_left_out(short)}"] if short else []
    yield Item(
        part, "Are failed and missing runs told?", "yes", "; ".join(lost) or "none failed, ended early or is missing"
    )


def answer_analysis(runs: Runs, pairs: Sequence[Pair]) -> Iterator[Item]:
    part = "Analysis"
    enough = bool(pairs) and all(p.reachable for p in pairs)
    yield Item(
        part,
        "Are effects told with their uncertainty, and tested?",
        "yes" if enough else "no" if not pairs else "partly",
        "one shift a pair, with its exact interval, test and direction; A12 as an effect size"
        if enough
        else "runs that share draws are not tested; harness ledger has what their spread is made of, with intervals"
        if list_shared_draws(runs)
        else "so few runs can show no difference",
    )
    yield Item(
        part,
        "Are several comparisons corrected for each other?",
        "yes" if pairs else "no",
        f"Holm over {len(pairs)}, intervals as p" if pairs else "nothing is compared",
    )
    base = compute_base_rate(runs)
    yield Item(
        part,
        "Is a collapse told from what chance gives?",
        "yes" if base.told() else "no",
        f"{describe_rule(runs.declared)}" + (f": so are {base.told()}" if base.told() else "; no base rate is known"),
    )
    lengths = runs.epochs.groupby(["method", "seed"])["epoch"].max()
    uneven = "" if lengths.nunique() == 1 else f"; runs end at epochs {sorted(map(int, lengths.unique()))}"
    yield Item(
        part,
        "Is performance told over time, and not at its best moment alone?",
        "partly" if uneven else "yes",
        f"every epoch's architecture from {int(runs.epochs['epoch'].min())} on, in {len(runs)} runs{uneven}; "
        "the best epoch is called hindsight",
    )


def answer_presentation(runs: Runs) -> Iterator[Item]:
    part = "Presentation"
    yield Item(part, "Are single runs shown, not only averages?", "yes", "every run is a line or a point below")
    yield Item(part, "How long does a whole search take?", *measure_duration(runs))
    yield Item(
        part,
        "Can others make it again?",
        "yes" if runs.manifests else "partly",
        "the commands below, and every row with its SHA-256 in `harness publish`",
    )
    yield Item(part, "What does it not show?", "yours to say", "verdicts say what so many runs may have missed")


def measure_duration(runs: Runs) -> tuple[Answer, str]:
    """Median seconds a run by method; without probes and lookups where these were measured apart."""
    timing = runs.timing
    last = timing.sort_values("epoch").groupby(["method", "seed"], sort=False).last()
    if last["wall_s"].isna().all():
        return "no", "the logs have no times"
    wall = last["wall_s"].groupby("method", sort=False).median()
    told = ", ".join(f"{m} {s:.1f} s" for m, s in wall.items())
    if not any(c in last and last[c].notna().any() for c in APART):
        return "yes", f"{told} (median wall time; probes and lookups are in it)"
    search = compute_search_seconds(last).groupby("method", sort=False).median()
    alone = ", ".join(f"{m} {s:.1f} s" for m, s in search.items())
    return "yes", f"{alone} of search alone; with probes and lookups {told} (medians)"


def describe_searcher(runs: Runs, method: str) -> str:
    """The parts that a method is made of, or its name where they are not known."""
    for manifest in runs.manifests:
        if manifest["method_name"] == method:
            return str(next(iter(manifest["configuration"]["method"])))
    return method


def answer_if_known(runs: Runs, part: str, question: str, differences: list[str], equal: str) -> Item:
    if not runs.manifests:
        return Item(part, question, "yours to say", "imported logs do not hold it")
    return Item(part, question, "partly" if differences else "yes", "; ".join(differences) or equal)


def list_differing(runs: Runs, keys: tuple[str, ...], without: tuple[str, ...] = ()) -> list[str]:
    """What of these keys is not equal in all runs, with its values."""
    frame = pd.DataFrame([dict(flatten_values(m)) for m in runs.manifests])
    chosen = [c for c in frame if str(c).startswith(keys) and not (without and str(c).startswith(without))]
    return [
        f"{str(c).partition('.')[2]}: {', '.join(sorted(map(str, frame[c].dropna().unique())))}"
        for c in chosen
        if frame[c].nunique(dropna=False) > 1
    ]


def describe_value(runs: Runs, key: str) -> str:
    """A value of the manifests; all of them where they differ."""
    return ", ".join(sorted({dict(flatten_values(m)).get(key, "unknown") for m in runs.manifests})) or "unknown"
