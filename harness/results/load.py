"""Opening what is to be read: a study with its finished runs, or a folder of published or imported results."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from harness.core.errors import HarnessError
from harness.core.registry import explain
from harness.core.seeds import parse_seeds
from harness.results.frames import Results
from harness.results.provenance import provenance
from harness.runs.appearance import Appearance
from harness.runs.execute import plan, study_folder
from harness.runs.preregistration import Declared, standing
from harness.runs.study import Study, apply_settings, load_study

FOREIGN = (".csv", ".gz", ".json", ".txt", ".log")
"""Endings of files that an importer may read; a study's is .toml."""


@dataclass(frozen=True)
class Finished:
    """results: of the finished runs. missing: runs that are not. declared: how to compare; standing: whether that was
    declared before the first run. folder: where figures go by default. manifests: one a run (none of imported ones).
    provenance: what the runs were computed with, where that is not the same for all, or of an older record format.
    figures: how they are to look."""

    name: str
    source: Path
    results: Results
    missing: int
    declared: Declared
    standing: str
    folder: Path
    manifests: list[dict[str, Any]]
    figures: Appearance = field(default_factory=Appearance)

    @property
    def provenance(self) -> list[str]:
        return provenance(self.manifests, self.source)


def open_finished(source: Path, settings: Sequence[str], seeds: str | None, out: Path) -> Finished:
    """A study file, with its runs under `out`, or a folder that `harness publish` or `harness import` wrote."""
    if source.is_dir():
        return of_published(source, settings, seeds)
    if source.suffix.lower() in FOREIGN:
        raise HarnessError(f"{source} is no study: import its rows first, harness import {source} --table TABLE")
    return of_study(load_study(source, list(settings), seeds), out)


def of_study(study: Study, out: Path) -> Finished:
    """The finished runs of a study under a folder of runs."""
    planned = plan(study, out)
    finished = [p for p in planned if p.finished]
    if not finished:
        raise HarnessError(f"no run of {study.name} is finished under {out}: run it first, harness run {study.source}")
    declared = study.file.comparison
    return Finished(
        study.name,
        study.source,
        Results.of_runs(finished, study.table),
        len(planned) - len(finished),
        declared,
        standing(study_folder(out, study), declared),
        study_folder(out, study),
        [p.folder.manifest() for p in finished],
        study.file.figures,
    )


def of_published(folder: Path, settings: Sequence[str], seeds: str | None) -> Finished:
    results = Results.of_folder(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    kinds: dict[str, type[BaseModel]] = {"comparison": Declared, "figures": Appearance}
    raw: dict[str, Any] = {section: manifest["study"].get(section, {}) for section in kinds}
    apply_settings(raw, list(settings))
    if unknown := set(raw) - set(kinds):
        raise HarnessError(
            f"of results that are there, only comparison.* and figures.* can be set, not {sorted(unknown)[0]!r}"
        )
    read: dict[str, Any] = {}
    for section, kind in kinds.items():
        try:
            read[section] = kind.model_validate(raw[section])
        except ValidationError as error:
            raise HarnessError(explain(error, section, kind.model_fields)) from None
    if seeds is not None:
        try:
            results = results.of_seeds(parse_seeds(seeds))
        except ValueError as error:
            raise HarnessError(str(error)) from None
    told = manifest.get("declaration", "exploratory: nothing was declared before the first run")
    if any(not setting.startswith("figures.") for setting in settings):
        told = "exploratory: settings were changed when this was read"
    return Finished(
        manifest["study"]["name"],
        folder,
        results,
        0,
        read["comparison"],
        told,
        folder,
        manifest["runs"],
        read["figures"],
    )
