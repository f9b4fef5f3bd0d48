"""Reading a folder of runs without the study file that made it: every run's manifest knows what it ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.results.frames import Results, stacked, table_asked
from harness.results.load import Finished, of_published
from harness.runs.preregistration import FILE, Declared, standing
from harness.runs.store import RunFolder
from harness.spaces.base import search_space

MANIFEST = "manifest.json"


def load_folder(folder: Path) -> Finished:
    """The runs of a study's folder, of one run's, or of published or imported results."""
    if not folder.is_dir():
        raise HarnessError(f"there is no folder of runs at {folder}: name a study's folder, or one run's")
    one = (folder / MANIFEST).is_file()
    runs = {folder: read_manifest(folder)} if one else run_folders(folder)
    if one and "configuration" not in runs[folder]:
        return of_published(folder, [], None)
    if not runs:
        inside = [
            p.name for p in sorted(folder.iterdir()) if p.is_dir() and (run_folders(p) or (p / MANIFEST).is_file())
        ]
        where = f"name one of the folders inside: {', '.join(inside)}" if inside else "run a study first"
        raise HarnessError(f"{folder} holds no finished run: {where}")
    study = folder.parent if one else folder
    declared, told = kept_declaration(study)
    return Finished(folder.name, folder, of_run_folders(study, runs), 0, declared, told, folder, list(runs.values()))


def run_folders(folder: Path) -> dict[Path, dict[str, Any]]:
    """The manifests of the finished runs in a study's folder, in the order of the runs' names."""
    inside = sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.endswith(".running"))
    manifests = {p: read_manifest(p) for p in inside if (p / MANIFEST).is_file()}
    return {p: m for p, m in manifests.items() if "configuration" in m}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run, or of published results; an error says that it is damaged."""
    try:
        content: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    except (OSError, ValueError) as error:
        raise HarnessError(f"{folder / MANIFEST} cannot be read ({error}): run its study again") from None
    return RunFolder(folder.parent, folder.name).manifest() if "configuration" in content else content


def kept_declaration(study: Path) -> tuple[Declared, str]:
    """How the study said that it will be compared, and whether it said so before its first run."""
    try:
        declared = Declared.model_validate_json((study / FILE).read_text())
    except (OSError, ValueError):
        declared = Declared()
    return declared, standing(study, declared)


def of_run_folders(study: Path, runs: dict[Path, dict[str, Any]]) -> Results:
    """The rows of these runs, which must be of one space and one table; runs: a folder's manifest."""
    told = [m["configuration"] for m in runs.values()]
    for what in ("space", "table"):
        kinds = {json.dumps(c[what], sort_keys=True) for c in told}
        if len(kinds) > 1:
            raise HarnessError(f"{study} mixes runs of {len(kinds)} {what}s: load them apart")
    rows = stacked((RunFolder(p.parent, p.name), m["method_name"], m["configuration"]["seed"]) for p, m in runs.items())
    table = table_asked(told[0]["table"], f"the runs in {study}")
    return Results(**rows, table=table, space=search_space(told[0]["space"]))
