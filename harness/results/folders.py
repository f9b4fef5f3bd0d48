"""Reading a folder of runs without the study file that made it: every run's manifest knows what it ran."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.results.frames import Results
from harness.results.load import Finished, of_published
from harness.runs.preregistration import FILE, Declared, standing
from harness.runs.store import TABLES, RunFolder
from harness.spaces.base import search_space
from harness.tables.catalog import open_table

if TYPE_CHECKING:
    import pandas as pd

MANIFEST = "manifest.json"


def load_folder(folder: Path) -> Finished:
    """The runs of a study's folder, of one run's, or of published or imported results."""
    if not folder.is_dir():
        raise HarnessError(f"there is no folder of runs at {folder}: name a study's folder, or one run's")
    if (folder / MANIFEST).is_file() and "configuration" not in read_manifest(folder):
        return of_published(folder, [], None)
    runs = [folder] if (folder / MANIFEST).is_file() else run_folders(folder)
    if not runs:
        inside = [
            p.name for p in sorted(folder.iterdir()) if p.is_dir() and (run_folders(p) or (p / MANIFEST).is_file())
        ]
        where = f"name one of the folders inside: {', '.join(inside)}" if inside else "run a study first"
        raise HarnessError(f"{folder} holds no finished run: {where}")
    manifests = [read_manifest(run) for run in runs]
    study = folder.parent if runs == [folder] else folder
    declared, told = kept_declaration(study)
    return Finished(folder.name, folder, of_run_folders(runs, manifests), 0, declared, told, folder, manifests)


def run_folders(folder: Path) -> list[Path]:
    """The finished runs in a study's folder, by name."""
    found = (p for p in folder.iterdir() if p.is_dir() and not p.name.endswith(".running"))
    return sorted(p for p in found if (p / MANIFEST).is_file() and "configuration" in read_manifest(p))


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


def of_run_folders(runs: list[Path], manifests: list[dict[str, Any]]) -> Results:
    """The rows of these runs, which must be of one space and one table."""
    import pandas as pd

    told = [m["configuration"] for m in manifests]
    for what in ("space", "table"):
        kinds = {json.dumps(c[what], sort_keys=True) for c in told}
        if len(kinds) > 1:
            raise HarnessError(f"{runs[0].parent} mixes runs of {len(kinds)} {what}s: load them apart")
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in TABLES}
    for run, manifest in zip(runs, manifests, strict=True):
        for name, part in RunFolder(run.parent, run.name).tables().items():
            part.insert(0, "method", manifest["method_name"])
            part.insert(1, "seed", manifest["configuration"]["seed"])
            parts[name].append(part)
    frames: dict[str, Any] = {name: pd.concat(found, ignore_index=True) for name, found in parts.items()}
    named = told[0]["table"]
    table = None if named is None else open_table(named["name"])
    if table is not None and table.fingerprint != named["fingerprint"]:
        raise HarnessError(f"the runs in {runs[0].parent} were looked up in another version of table {table.name!r}")
    return Results(**frames, table=table, space=search_space(told[0]["space"]))
