"""Deciding claims by the table and by the runs that are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.results.folders import load_folder
from harness.results.load import Finished
from harness.tables.catalog import open_table
from harness.tables.table import Table
from harness.verdicts.claims.base import Evidence, Verdict
from harness.verdicts.claims.files import ClaimsFile, Named, read_folder

Find = Callable[[str], Finished | None]
"""The finished runs of a study by its name; None where there are none."""


@dataclass(frozen=True)
class Checked:
    named: Named
    verdict: Verdict

    def row(self) -> dict[str, Any]:
        """What a page has room for."""
        v = self.verdict
        return {
            "claim": f"{self.named.group}: {self.named.name}",
            "published": self.named.claim.claimed(),
            "found": _number(v.found),
            "verdict": v.state,
            "n": v.n,
            "interval": None if v.interval is None else f"{v.interval.low:.2f} to {v.interval.high:.2f}",
            "table's noise": _number(v.noise),
            "why": v.why,
        }

    def numbers(self) -> dict[str, Any]:
        """Everything, one number a column."""
        v, claim = self.verdict, self.named.claim
        return {
            "file": self.named.group,
            "claim": self.named.name,
            "kind": claim.name,
            "says": claim.says,
            "published": claim.claimed(),
            "found": v.found,
            "verdict": v.state,
            "n": v.n,
            "low": None if v.interval is None else v.interval.low,
            "high": None if v.interval is None else v.interval.high,
            "noise": v.noise,
            "why": v.why,
            "source": claim.source,
            **{f"protocol_{key}": value for key, value in claim.protocol.model_dump().items()},
        }


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}"


def in_folders(*roots: Path) -> Find:
    """Runs by their study's name, from the first of these folders that has any."""

    def find(study: str) -> Finished | None:
        for root in roots:
            if (root / study).is_dir():
                try:
                    return load_folder(root / study)
                except HarnessError:  # begun, and nothing is finished
                    continue
        return None

    return find


def check_all(claims: Sequence[Named], find: Find) -> list[Checked]:
    """The verdict on every claim. A claim that has several studies is decided by the first one that has runs, at
    published size before reduced ones."""
    tables: dict[str, tuple[Table | None, str]] = {}
    runs: dict[Path, tuple[Finished | None, bool]] = {}
    checked = []
    for named in claims:
        file = named.file
        if file.table is not None and file.table not in tables:
            tables[file.table] = _table(file.table)
        table, no_table = tables.get(file.table or "", (None, ""))
        if named.path not in runs:
            runs[named.path] = _runs(file, find) if named.claim.needs_runs else (None, False)
        found, small = runs[named.path]
        evidence = Evidence(table, no_table, found, _no_runs(file), small)
        checked.append(Checked(named, decide(named, evidence)))
    return checked


def decide(named: Named, evidence: Evidence) -> Verdict:
    """The verdict on one claim; what cannot be tested says why."""
    try:
        return named.claim.check(evidence)
    except HarnessError as reason:
        return Verdict("cannot be tested", str(reason))


def _table(name: str) -> tuple[Table | None, str]:
    try:
        return open_table(name), ""
    except HarnessError as error:
        return None, str(error)


def _runs(file: ClaimsFile, find: Find) -> tuple[Finished | None, bool]:
    for small, names in ((False, file.studies), (True, file.small)):
        for name in names:
            if (found := find(name)) is not None:
                return found, small
    return None, False


def _no_runs(file: ClaimsFile) -> str:
    studies = [*file.studies, *file.small]
    return f"no finished runs of {' or '.join(studies)}" if studies else "no study that could decide it is written"


def claims_about(found: Finished, claims: Sequence[Named]) -> list[Named]:
    """The claims that these runs may decide."""
    return [n for n in claims if n.claim.needs_runs and found.name in (*n.file.studies, *n.file.small)]


def rows_about(found: Finished, folder: Path) -> list[dict[str, Any]]:
    """One row a claim that these runs may decide, for a report; none where the folder has no claims about them."""
    if not folder.is_dir():
        return []
    about = claims_about(found, read_folder(folder))
    return [c.row() for c in check_all(about, lambda name: found if name == found.name else None)]
