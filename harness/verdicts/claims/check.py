"""Deciding claims by the table and by the runs that are there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.results.load import load_folder
from harness.results.runs import Runs
from harness.runs.manifest import DamagedError
from harness.stats.tests import Test, compute_holm_multipliers
from harness.tables.catalog import open_table
from harness.tables.table import Table
from harness.verdicts.claims.base import Evidence, Verdict
from harness.verdicts.claims.files import ClaimsFile, NamedClaim
from harness.verdicts.claims.protocol import describe_differences, find_study

Find = Callable[[str], Runs | None]
"""The finished runs of a study by its name; None where there are none."""


@dataclass(frozen=True)
class Checked:
    named: NamedClaim
    verdict: Verdict

    def row(self) -> dict[str, Any]:
        """The columns that a terminal or a page has room for."""
        v = self.verdict
        return {
            "claim": f"{self.named.group}: {self.named.name}",
            "verdict": v.state,
            "published": self.named.claim.claimed(),
            "found": _number(v.found),
            "n": v.n,
            "interval": None if v.interval is None else f"{v.interval.low:.2f} to {v.interval.high:.2f}",
            "table's noise": _number(v.noise) or "unknown",
            "why": v.why,
        }

    def short(self) -> dict[str, Any]:
        """What a list has room for: the verdict, and why."""
        return {key: value for key, value in self.row().items() if key not in ("n", "interval", "table's noise")}

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
            "table_noise": v.noise,
            "why": v.why,
            "source": claim.source,
            **{f"protocol_{key}": value for key, value in claim.protocol.model_dump().items()},
        }


def _number(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}" if abs(value) < 1 else f"{value:.2f}"


def find_in_folders(*roots: Path) -> Find:
    """Runs by their study's name, from the first of these folders that has any."""

    def find(study: str) -> Runs | None:
        for root in roots:
            if (root / study).is_dir():
                try:
                    return load_folder(root / study)
                except DamagedError:
                    raise
                except HarnessError:  # begun, and nothing is finished
                    continue
        return None

    return find


def check_all(claims: Sequence[NamedClaim], find: Find) -> list[Checked]:
    """The verdict on every claim. A claim that has several studies is decided by the first one that has runs, at
    published size before reduced ones. All tests of one file are one family, and corrected for each other (Holm)."""
    tables: dict[str, tuple[Table | None, str]] = {}
    runs: dict[Path, EvidenceRuns] = {}
    gathered: list[Evidence] = []
    for named in claims:
        file = named.file
        if file.table is not None and file.table not in tables:
            tables[file.table] = _open_table(file.table)
        table, no_table = tables.get(file.table or "", (None, ""))
        if not named.claim.needs_runs:
            gathered.append(Evidence(table, no_table))
            continue
        if named.path not in runs:
            runs[named.path] = _find_runs(file, named.path.parent, find)
        found = runs[named.path]
        gathered.append(Evidence(table, no_table, found.finished, found.none, _describe_other_protocol(named, found)))
    return [Checked(n, decide(n, e)) for n, e in zip(claims, correct_in_families(claims, gathered), strict=True)]


def correct_in_families(claims: Sequence[NamedClaim], gathered: Sequence[Evidence]) -> list[Evidence]:
    """The evidence, each with what corrects its test for the other tests of its file."""
    tests: dict[int, Test] = {}
    for place, (named, evidence) in enumerate(zip(claims, gathered, strict=True)):
        try:
            test = named.claim.test(evidence)
        except HarnessError:
            continue
        if test is not None:
            tests[place] = test
    found = list(gathered)
    for path in {claims[place].path for place in tests}:
        places = [place for place in tests if claims[place].path == path]
        multipliers = compute_holm_multipliers([tests[place].p for place in places])
        for place, multiplier in zip(places, multipliers, strict=True):
            found[place] = replace(found[place], multiplier=multiplier, family=len(places))
    return found


def decide(named: NamedClaim, evidence: Evidence) -> Verdict:
    """The verdict on one claim; what cannot be tested says why, and what was found all the same."""
    claim = named.claim
    try:
        verdict = claim.check(evidence)
    except HarnessError as reason:
        verdict = Verdict("cannot be tested", str(reason))
    if claim.needs_runs and evidence.other_protocol and evidence.runs is not None:
        verdict = replace(
            verdict, state="cannot be tested", why=f"other protocol: {evidence.other_protocol}; found: {verdict.why}"
        )
    if not claim.quoted:
        what = "the runs" if claim.needs_runs else "the table"
        answer = "" if verdict.state == "cannot be tested" else f"by {what} it would be {verdict.state}: "
        verdict = replace(verdict, state="a question", why=f"{answer}{verdict.why}")
    return verdict


def _open_table(name: str) -> tuple[Table | None, str]:
    try:
        return open_table(name), ""
    except HarnessError as error:
        return None, str(error)


@dataclass(frozen=True)
class EvidenceRuns:
    """The runs that decide the claims of a file. study: the file that says how they are to be made. small: whether that
    is a reduced one. none: why there are none."""

    finished: Runs | None
    study: Path | None = None
    small: bool = False
    none: str = ""


def _find_runs(file: ClaimsFile, folder: Path, find: Find) -> EvidenceRuns:
    for small, names in ((False, file.studies), (True, file.small)):
        for name in names:
            if (found := find(name)) is not None:
                return EvidenceRuns(found, find_study(name, folder), small)
    studies = [*file.studies, *file.small]
    return EvidenceRuns(
        None,
        none=f"no finished runs of {' or '.join(studies)}" if studies else "no study that could decide it is written",
    )


def _describe_other_protocol(named: NamedClaim, found: EvidenceRuns) -> str:
    """In what the runs differ from what a claim is about."""
    if found.finished is None:
        return ""
    claim = named.claim
    methods = [m for m in (getattr(claim, "method", None), getattr(claim, "against", None)) if m]
    any_size = found.small and getattr(claim, "any_size", False)
    protocol = claim.protocol.model_copy(update={"epochs": None}) if any_size else claim.protocol
    told = [f"{found.finished.name} is a reduced study"] if found.small and not any_size else []
    if differing := describe_differences(found.finished, found.study, protocol, methods):
        told.append(differing)
    return ", ".join(told)


def select_claims(runs: Runs, claims: Sequence[NamedClaim]) -> list[NamedClaim]:
    """The claims that these runs may decide."""
    return [n for n in claims if n.claim.needs_runs and runs.name in (*n.file.studies, *n.file.small)]
