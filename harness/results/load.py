"""The one reader of finished runs: a study's file with its runs, or any folder of runs or of published results, which
needs no study's file, as every manifest knows what was run."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.results.frames import EndpointPart, stack_tables
from harness.results.index import WHOLE, Read, TablePart
from harness.results.provenance import label_machines
from harness.results.runs import Runs
from harness.runs.apart import collect_settings, group_by_method
from harness.runs.appearance import Appearance
from harness.runs.archive import read_published_tables
from harness.runs.execute import Planned, locate_study_folder, plan, survey
from harness.runs.manifest import ANEW, MANIFEST, RUN_NAME, check_seal, read_manifest, read_owner
from harness.runs.preregistration import UNDECLARED, Declared, describe_standing, read_kept
from harness.runs.randomness import Design, Randomness
from harness.runs.store import RunFolder, scan_folder
from harness.runs.study import Study, load_study
from harness.spaces.base import SPACES, search_space
from harness.tables.catalog import VERSION, open_table
from harness.tables.table import Table
from harness.tables.training.on_demand import TrainedTable


def open_runs(
    source: Path, settings: Sequence[str], seeds: str | None, out: Path, *, endpoints_only: bool = False
) -> Runs:
    """A study's file, with its runs under `out`, or a folder as `load_folder` reads it.

    endpoints_only: what endpoints in the table's test are computed from is enough.
    """
    if source.is_dir():
        return load_folder(source, endpoints_only=endpoints_only).narrow(settings, seeds)
    return load_study_runs(load_study(source, list(settings), seeds), out, endpoints_only=endpoints_only)


def load_study_runs(study: Study, out: Path, *, endpoints_only: bool = False) -> Runs:
    """The finished runs of a study under a folder of runs; `endpoints_only` as of `open_runs`."""
    planned = plan(study, out)
    finished = [p for p, s in zip(planned, survey(planned), strict=True) if s.finished]
    if not finished:
        raise HarnessError(f"no run of {study.name} is finished under {out}: run it first, {study.command('run', out)}")
    if study.file.comparison.until_decided:  # the seeds after those that decided are not missing
        last = max(p.run.seed for p in finished)
        planned = [p for p in planned if p.run.seed <= last]
    folder = locate_study_folder(out, study)
    return read_planned(
        study, finished, missing=len(planned) - len(finished), folder=folder, endpoints_only=endpoints_only
    )


def read_planned(
    study: Study,
    finished: Sequence[Planned],
    *,
    missing: int = 0,
    folder: Path | None = None,
    endpoints_only: bool = False,
) -> Runs:
    """These runs of a study, all of which are finished.

    Args:
        missing: how many others are not finished.
        folder: the study's, where what was declared of it is; the runs are exploratory without.
        endpoints_only: as of `open_runs`.
    """
    manifests = [p.folder.manifest() for p in finished]
    keys = [(p.run.method_name, p.run.number) for p in finished]
    ids = {key: p.run.id for key, p in zip(keys, finished, strict=True)}
    declared = study.file.comparison
    return Runs(
        **stack_tables(
            [Read(p.folder, m, *key) for p, m, key in zip(finished, manifests, keys, strict=True)],
            choose_part(study.table, endpoints_only),
        ),
        table=study.table,
        space=finished[0].run.space if finished else None,
        settings=collect_settings(p.run for p in finished),
        design=study.design,
        machines=label_machines(keys, manifests),
        ids=ids,
        name=study.name,
        source=study.source,
        folder=folder or Path(),
        missing=missing,
        declared=declared,
        standing=UNDECLARED if folder is None else describe_standing(folder, declared, ids),
        manifests=manifests,
        figures=study.file.figures,
    )


def choose_part(table: Table | None, endpoints_only: bool) -> TablePart:
    """What is read of runs that a table judges: all, unless `endpoints_only`, as of `open_runs`."""
    return EndpointPart(table.test) if endpoints_only and table is not None else WHOLE


def load_folder(folder: Path, *, endpoints_only: bool = False) -> Runs:
    """The runs of a study's folder, of one run's, or of published or imported results.

    endpoints_only: as of `open_runs`.
    """
    if not folder.is_dir():
        raise HarnessError(f"there is no folder of runs at {folder}: name a study's folder, or one run's")
    one = (folder / MANIFEST).is_file()
    if one and "configuration" not in (manifest := read_manifest(folder / MANIFEST)):
        if "retraining" in manifest:
            raise HarnessError(f"{folder} holds no runs of a study: it is the training of one derived cell")
        return read_published(folder)
    runs = find_run_folders([folder] if one else list_run_folders(folder))
    if not runs:
        named = ", ".join(
            p.name
            for p in list_run_folders(folder)
            if (p / MANIFEST).is_file() or find_run_folders(list_run_folders(p))
        )
        where = f"name one of the folders inside: {named}" if named else "run a study first"
        raise HarnessError(f"{folder} holds no finished run: {where}")
    return read_run_folders(folder, folder.parent if one else folder, runs, endpoints_only=endpoints_only)


def list_run_folders(folder: Path) -> list[Path]:
    """The folders in a folder that may be finished runs, in the order of their names."""
    return [folder / name for name in sorted(scan_folder(folder).finished)]


def find_run_folders(folders: Sequence[Path]) -> dict[Path, dict[str, Any]]:
    """The manifests of those of the folders that are finished runs; `DamagedError` where one was changed."""
    found = {p: read_manifest(p / MANIFEST) for p in folders if RUN_NAME.search(p.name) or (p / MANIFEST).is_file()}
    return {p: check_seal(p / MANIFEST, m) for p, m in found.items() if "configuration" in m}


def read_run_folders(source: Path, study: Path, runs: dict[Path, dict[str, Any]], *, endpoints_only: bool) -> Runs:
    """These runs, which must be of one space and one table.

    Args:
        source: the folder that was named.
        study: the study's folder, which holds it or is it.
        runs: a run's folder, and its manifest.
        endpoints_only: as of `open_runs`.
    """
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
    kept = read_kept(study)
    declared = kept.comparison if kept else Declared()
    ids = {read_owner(m): str(m["id"]) for m in runs.values()}
    seen = scan_folder(study)
    table = open_named_table(told[0]["table"], f"the runs in {study}")
    return Runs(
        **stack_tables(
            [Read(RunFolder(p.parent, p.name), m, *read_owner(m)) for p, m in runs.items()],
            choose_part(table, endpoints_only),
        ),
        table=table,
        space=search_space(told[0]["space"]),
        settings=group_by_method((m["method_name"], m["configuration"]) for m in runs.values()),
        machines=label_machines([read_owner(m) for m in runs.values()], list(runs.values())),
        ids=ids,
        name=source.name,
        source=source,
        folder=source,
        missing=len(seen.running - seen.finished) if source == study else 0,
        declared=declared,
        standing=describe_standing(study, declared, ids),
        manifests=list(runs.values()),
    )


def read_published(folder: Path) -> Runs:
    """What `harness publish` or `harness import` wrote. The table is opened by the name in the manifest, and must be
    the one that was asked."""
    manifest = read_manifest(folder / MANIFEST, ANEW)
    study, runs = manifest["study"], manifest.get("runs", [])
    name, design = study.get("space"), read_design(study)
    varied = design and design.varied  # several runs of a seed then
    return Runs(
        **{name: table.to_pandas() for name, table in read_published_tables(folder, manifest).items()},
        table=open_named_table(manifest["table"], f"the results in {folder}"),
        space=None if name is None else SPACES.find(name)(),
        settings=group_by_method((run["method_name"], run["configuration"]) for run in runs),
        design=design,
        machines={} if varied else label_machines([read_owner(run) for run in runs], runs),
        ids={} if varied else {read_owner(run): str(run["id"]) for run in runs},
        name=study["name"],
        source=folder,
        folder=folder,
        declared=Declared.model_validate(study.get("comparison", {})),
        standing=manifest.get("declaration", UNDECLARED),
        manifests=runs,
        figures=Appearance.model_validate(study.get("figures", {})),
    )


def read_design(study: Mapping[str, Any]) -> Design | None:
    """The design of a published study, by what its manifest says of it; None where it says nothing."""
    try:
        return Randomness.model_validate(study["randomness"]).laid_out(study["seeds"])
    except HarnessError:
        raise
    except (KeyError, ValueError, TypeError):
        return None


def open_named_table(named: dict[str, Any] | None, what: str) -> Table | None:
    """The table that a manifest names, which must be the one that was asked; None where it names none.

    what: the rows, for the error.
    """
    if named is None:
        return None
    if named.get("trained") is not None:
        try:
            return TrainedTable.of_manifest(named)
        except HarnessError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HarnessError(f"{what} name a trained table whose description is damaged ({error!r:.100})") from None
    table = open_table(named["name"])
    if table.fingerprint == named["fingerprint"]:
        return table
    try:
        return open_table(f"{named['name']}{VERSION}{named['fingerprint']}")
    except HarnessError:
        raise HarnessError(f"{what} were looked up in another version of table {table.name!r}") from None
