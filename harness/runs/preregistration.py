"""What a study declared about its comparison before its first run, kept beside the runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from harness.core.files import disk, write_atomically
from harness.core.settings import Settings

FILE = "declared.json"
Endpoint = Literal["final", "selected", "oracle", "area"]
Failure = Literal["above-random", "parameter-free", "skips", "degraded"]


class Declared(Settings):
    """What a study says beforehand about how its methods will be compared: its section [comparison].

    primary: the endpoint that is tested; all others are exploratory. `final`: error of the architecture recorded last;
    `selected`: that of the epoch with the best supernet accuracy; `oracle`: the best epoch's (no result of a search);
    `area`: mean regret over epochs. baseline: the method that all others are compared with (the first one, if neither
    it nor pairs are said). pairs: [new, base] instead. level: of the family of comparisons. rope: percentage points
    that do not matter in practice (twice the standard error of the table's mean over trials, if not said; unknown where
    the table does not tell its noise). paired: by seed (if not said: two methods that share most of their seeds).
    failure: what counts as a collapsed run, of which the other three are parameters: degraded, percentage points above
    the run's best; parameter_free, skips: so many operations of the last cell or more.
    """

    primary: Endpoint = "final"
    baseline: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    level: float = Field(0.05, gt=0, lt=1)
    rope: float | None = Field(None, ge=0)
    paired: bool | None = None
    failure: Failure = "above-random"
    degraded: float = Field(5.0, gt=0)
    parameter_free: int = Field(4, ge=1)
    skips: int = Field(4, ge=1)


def declare(folder: Path, declared: Declared, *, begun: bool) -> None:
    """Keep the declaration if none is kept, and no run has begun. folder: the study's."""
    if begun or (folder / FILE).exists():
        return
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
    # in one step: other processes may begin the same study now
    write_atomically(folder / FILE, (json.dumps(declared.model_dump(mode="json"), indent=1) + "\n").encode())


def kept(folder: Path) -> Declared | None:
    """What is kept beside the runs in a study's folder; None where nothing is that can be read."""
    try:
        return Declared.model_validate_json((folder / FILE).read_bytes())
    except (OSError, ValueError):
        return None


def standing(folder: Path, declared: Declared) -> str:
    """ "declared before the first run", or why the comparison is exploratory."""
    before = kept(folder)
    if before is None:
        return "exploratory: nothing was declared before the first run"
    changed = [key for key, value in declared if getattr(before, key) != value]
    if changed:
        return f"exploratory: {', '.join(changed)} changed since the first run"
    return "declared before the first run"
