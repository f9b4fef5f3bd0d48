"""Opening what is to be read: a study's file with its runs, or any folder of runs, which need no study's file, as every
manifest knows what was run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.results.frames import Results, label_machines, open_named_table, stack_tables
from harness.results.index import Read
from harness.results.load import Finished, load_study_runs
from harness.runs.apart import group_by_method
from harness.runs.appearance import Appearance
from harness.runs.preregistration import Declared, describe_standing, read_kept
from harness.runs.store import MANIFEST, RUN_NAME, RunFolder, check_seal, look, read_manifest, read_owner
from harness.runs.study import load_study
from harness.spaces.base import search_space


def open_finished(source: Path, settings: Sequence[str], seeds: str | None, out: Path) -> Finished:
    """A study's file, with its runs under `out`, or a folder as `load_folder` reads it."""
    if source.is_dir():
        return load_folder(source).narrowed(settings, seeds)
    return load_study_runs(load_study(source, list(settings), seeds), out)


def load_folder(folder: Path) -> Finished:
    """The runs of a study's folder, of one run's, or of published or imported results."""
    if not folder.is_dir():
        raise HarnessError(f"there is no folder of runs at {folder}: name a study's folder, or one run's")
    one = (folder / MANIFEST).is_file()
    if one and "configuration" not in read_manifest(folder / MANIFEST):
        return read_published(folder)
    runs = run_folders([folder] if one else list_run_folders(folder))
    if not runs:
        named = ", ".join(
            p.name for p in list_run_folders(folder) if (p / MANIFEST).is_file() or run_folders(list_run_folders(p))
        )
        where = f"name one of the folders inside: {named}" if named else "run a study first"
        raise HarnessError(f"{folder} holds no finished run: {where}")
    study = folder.parent if one else folder
    seen = look(study)
    missing = 0 if one else len(seen.running - seen.finished)
    before = read_kept(study)
    declared = before.comparison if before else Declared()
    ids = {read_owner(m): str(m["id"]) for m in runs.values()}
    told = describe_standing(study, declared, ids)
    return Finished(
        folder.name, folder, read_run_folders(study, runs), missing, declared, told, folder, list(runs.values())
    )


def list_run_folders(folder: Path) -> list[Path]:
    """The folders in a folder that may be finished runs, in the order of their names."""
    return [folder / name for name in sorted(look(folder).finished)]


def run_folders(folders: Sequence[Path]) -> dict[Path, dict[str, Any]]:
    """The manifests of those of the folders that are finished runs; `DamagedError` where one was changed."""
    found = {p: read_manifest(p / MANIFEST) for p in folders if RUN_NAME.search(p.name) or (p / MANIFEST).is_file()}
    return {p: check_seal(p / MANIFEST, m) for p, m in found.items() if "configuration" in m}


def read_run_folders(study: Path, runs: dict[Path, dict[str, Any]]) -> Results:
    """The rows of these runs, which must be of one space and one table; runs: a folder's manifest."""
    told = [m["configuration"] for m in runs.values()]
    for what in ("space", "table"):
        kinds = {json.dumps(c[what], sort_keys=True) for c in told}
        if len(kinds) > 1:
            raise HarnessError(f"{study} mixes runs of {len(kinds)} {what}s: load them apart")
    counts = Counter(map(read_owner, runs.values()))
    (name, seed), twice = counts.most_common(1)[0]
    if twice > 1:
        raise HarnessError(
            f"{study} holds {twice} runs of {name!r} with seed {seed}, of different configurations: name the study's "
            "file, whose runs alone are read then"
        )
    rows = stack_tables([Read(RunFolder(p.parent, p.name), m, *read_owner(m)) for p, m in runs.items()])
    table = open_named_table(told[0]["table"], f"the runs in {study}")
    settings = group_by_method((m["method_name"], m["configuration"]) for m in runs.values())
    by = label_machines([read_owner(m) for m in runs.values()], list(runs.values()))
    space = search_space(told[0]["space"])
    ids = {read_owner(m): str(m["id"]) for m in runs.values()}
    return Results(**rows, table=table, space=space, settings=settings, machines=by, ids=ids)


def read_published(folder: Path) -> Finished:
    """What `harness publish` or `harness import` wrote."""
    results = Results.of_folder(folder)
    manifest = read_manifest(folder / MANIFEST)
    study = manifest["study"]
    return Finished(
        study["name"],
        folder,
        results,
        0,
        Declared.model_validate(study.get("comparison", {})),
        manifest.get("declaration", "exploratory: nothing was declared before the first run"),
        folder,
        manifest.get("runs", []),
        Appearance.model_validate(study.get("figures", {})),
    )
