"""What a study declared about its comparison before its first run, kept beside the runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors, write_atomically
from harness.core.notation import parse_json
from harness.core.settings import Settings

FILE = "declared.json"
Endpoint = Literal["final", "selected", "oracle", "area"]
Failure = Literal["above-random", "parameter-free", "skips", "degraded"]


def rename_older_key(told: Any) -> Any:
    """A section [comparison] with the endpoint by its key; it was `primary` before, which wins where both are there:
    what a command sets stands beside what the file says."""
    if isinstance(told, dict) and "primary" in told:
        return {key: value for key, value in told.items() if key != "primary"} | {"endpoint": told["primary"]}
    return told


class Declared(Settings):
    """What a study says beforehand about how its methods will be compared: its section [comparison]."""

    endpoint: Endpoint = "final"
    """The endpoint that is tested; all others are exploratory. `final`: error of the architecture recorded last;
    `selected`: that of the epoch with the best supernet accuracy; `oracle`: the best epoch's (no result of a search);
    `area`: mean regret over epochs. Older versions called it `primary`."""
    baseline: str | None = None
    """The method that all others are compared with (the first one, if neither it nor pairs are said)."""
    pairs: tuple[tuple[str, str], ...] = ()
    """[new, base] instead."""
    level: float = Field(0.05, gt=0, lt=1)
    """Of the family of comparisons."""
    rope: float | None = Field(None, ge=0)
    """Percentage points that do not matter in practice (twice the standard error of the table's mean over trials, if
    not said; unknown where the table does not tell its noise)."""
    until_decided: bool = False
    """Seeds are added until every pair is decided, of which those of the study are the most, and tests hold whenever
    they are looked at (`harness run --until-decided`)."""
    paired: bool | None = None
    """By seed (if not said: two methods that share most of their seeds)."""
    failure: Failure = "above-random"
    """What counts as a collapsed run, by a rule of which the next three keys are the parameters."""
    degraded: float = Field(5.0, gt=0)
    """Of the rule `degraded`: percentage points above the best error that the run had."""
    parameter_free: int = Field(4, ge=1)
    """Of the rule `parameter-free`: so many operations without weights in the last cell, or more."""
    skips: int = Field(4, ge=1)
    """Of the rule `skips`: so many skip connections in the last cell, or more."""

    @model_validator(mode="before")
    @classmethod
    def _rename_primary(cls, told: Any) -> Any:
        return rename_older_key(told)

    @model_validator(mode="after")
    def _one_after_another(self) -> Declared:
        if self.until_decided and self.paired is False:
            raise ValueError("until_decided adds runs in pairs of one seed: leave paired = false out")
        return self

    @field_validator("pairs")
    @classmethod
    def differ(cls, pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
        seen: set[frozenset[str]] = set()
        for new, base in pairs:
            if new == base:
                raise ValueError(f"{new!r} is compared with itself: a pair is of two methods")
            if frozenset((new, base)) in seen:
                raise ValueError(f"{new!r} and {base!r} are compared twice, which costs power and tells nothing")
            seen.add(frozenset((new, base)))
        return pairs


Ids = Mapping[tuple[str, int], str]
"""The runs that a comparison is of: the id of each by method and seed."""


@dataclass(frozen=True)
class Kept:
    """What was declared before the first run. runs: None where an older version kept the comparison alone."""

    comparison: Declared
    runs: dict[tuple[str, int], str] | None = None


def declare(folder: Path, declared: Declared, runs: Ids, *, begun: bool) -> None:
    """Keep the declaration if none is kept, and no run has begun. folder: the study's."""
    if not (begun or (folder / FILE).exists()):
        keep(folder, Kept(declared, dict(runs)))


def keep(folder: Path, declaration: Kept) -> None:
    """Write a declaration into a study's folder."""
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    content: dict[str, object] = {"comparison": declaration.comparison.model_dump(mode="json")}
    if declaration.runs is not None:
        ids: dict[str, dict[str, str]] = {}
        for (method, seed), name in declaration.runs.items():
            ids.setdefault(method, {})[str(seed)] = name
        content["runs"] = ids
    # in one step: other processes may begin the same study now
    write_atomically(folder / FILE, (json.dumps(content, indent=1) + "\n").encode())


def join(declarations: Sequence[Kept | None]) -> Kept | None:
    """What parts of a study declared, each with runs of its own, as one; None where none of them declared anything.

    Raises:
        ValueError: they declared different comparisons, or one run with different settings.
    """
    first = declarations[0]
    if any((each and each.comparison) != (first and first.comparison) for each in declarations):
        raise ValueError("were declared to be compared differently")
    runs: dict[tuple[str, int], str] = {}
    for each in declarations:
        for run, name in ((each and each.runs) or {}).items():
            if runs.setdefault(run, name) != name:
                raise ValueError(f"declared {run[0]} seed {run[1]} with different settings")
    whole = all(each is not None and each.runs is not None for each in declarations)
    return Kept(first.comparison, runs if whole else None) if first else None


def read_kept(folder: Path) -> Kept | None:
    """What is kept beside the runs in a study's folder; None where nothing is that can be read."""
    try:
        content = parse_json((folder / FILE).read_bytes())
        if "comparison" not in content:
            return Kept(Declared.model_validate(content))
        if "runs" not in content:
            return Kept(Declared.model_validate(content["comparison"]))
        runs = {(m, int(seed)): str(name) for m, ids in content["runs"].items() for seed, name in ids.items()}
        return Kept(Declared.model_validate(content["comparison"]), runs)
    except HarnessError:
        raise
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None


def describe_standing(folder: Path, declared: Declared, runs: Ids) -> str:
    """ "declared before the first run", or why the comparison of these runs is exploratory."""
    before = read_kept(folder)
    if before is None:
        return UNDECLARED
    changed = [key for key, value in declared if getattr(before.comparison, key) != value]
    if changed:
        return f"exploratory: {', '.join(changed)} changed since the first run"
    expected = before.runs
    if expected is not None and declared.until_decided:  # which seeds came after those that decided says nothing
        last = max((seed for _, seed in runs), default=-1)
        expected = {(method, seed): name for (method, seed), name in expected.items() if seed <= last}
    if expected is not None and (told := describe_other_runs(expected, runs)):
        return f"exploratory: {told}"
    return DECLARED


DECLARED = "declared before the first run"
UNDECLARED = "exploratory: nothing was declared before the first run"


def describe_other_runs(declared: Ids, runs: Ids) -> str:
    """In what runs are not those that were declared, as a clause; empty where they are."""
    absent, added = [r for r in declared if r not in runs], [r for r in runs if r not in declared]
    changed = list(dict.fromkeys(m for m, s in runs if (m, s) in declared and declared[m, s] != runs[m, s]))
    return ", ".join(
        filter(
            None,
            [
                f"{describe_runs(absent, declared)} declared and left out" if absent else "",
                f"{describe_runs(added, runs)} added to what was declared" if added else "",
                f"other settings of {', '.join(changed)} than were declared" if changed else "",
            ],
        )
    )


def describe_runs(some: Sequence[tuple[str, int]], every: Ids) -> str:
    """Runs by their seeds alone where these are of every method, and by method where all seeds are."""
    methods, seeds = (list(dict.fromkeys(values)) for values in zip(*some, strict=True))
    all_methods, all_seeds = (set(values) for values in zip(*every, strict=True))
    if len(some) == len(methods) * len(seeds):
        if set(methods) == all_methods:
            return f"seed{'s' * (len(seeds) > 1)} {', '.join(map(str, sorted(seeds)))} of every method"
        if set(seeds) == all_seeds:
            return ", ".join(methods)
    told = ", ".join(f"{method} seed {seed}" for method, seed in some[:MOST_TOLD])
    return told + (f" and {len(some) - MOST_TOLD} more" if len(some) > MOST_TOLD else "")


MOST_TOLD = 5
