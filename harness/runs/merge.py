"""Joining folders of runs that were computed apart, without a shared file system.

All is looked at before anything is written, and copies get their names when the last one is whole: a run is in the
target or it is not, whenever this is stopped, and the same merge goes on.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors, resolve_path, sync_folder
from harness.runs.lease import Lease
from harness.runs.manifest import MANIFEST, RUN_NAME
from harness.runs.preregistration import FILE, join, keep, read_kept
from harness.runs.schema import ROWS
from harness.runs.store import RunFolder, scan_folder
from harness.runs.verify import verify_run

STAGING = ".merging"


@dataclass(frozen=True)
class MergeSource:
    """A folder that is merged: its finished runs by name, of those that are new to the target, those that are there
    or in an earlier folder with the same rows (by name, where), and how many are not finished."""

    folder: Path
    runs: dict[str, dict[str, Any]]
    running: int
    new: list[str] = field(default_factory=list)
    doubled: dict[str, Path] = field(default_factory=dict)


def merge(folders: Sequence[Path], to: Path) -> list[MergeSource]:
    """Copy the finished runs of studies' folders into one, which may hold some already.

    Raises:
        HarnessError: a folder has no runs, one is damaged, or two contradict each other; nothing is written then.
    """
    paths = [resolve_path(p) for p in (*folders, to)]
    if len(set(paths)) < len(paths):
        raise HarnessError("a folder is named twice: name each of those to merge once, and another one as --to")
    sources = [read_source(folder) for folder in folders]
    target = read_source(to) if scan_folder(to).finished else None
    everything = [*([target] if target else []), *sources]
    check_agreement(everything)
    sort_out(everything, sources)
    copy(sources, to)
    return sources


def read_source(folder: Path) -> MergeSource:
    """What a folder brings; an error where it brings nothing, or a manifest is damaged."""
    seen = scan_folder(folder)
    names = sorted(name for name in seen.finished if RUN_NAME.search(name))
    if not names:
        raise HarnessError(f"{folder} holds no finished run: name the folder of a study's runs")
    runs = {name: RunFolder(folder, name).manifest() for name in names}
    return MergeSource(folder, runs, len(seen.running - seen.finished))


def check_agreement(sources: Sequence[MergeSource]) -> None:
    """An error where runs are of several record formats, or folders say different things of the comparison."""
    formats = {m.get("record_format"): s.folder / name for s in sources for name, m in s.runs.items()}
    if len(formats) > 1 or None in formats:
        told = ", ".join(f"{path} of format {number or 1}" for number, path in sorted(formats.items(), key=str))
        raise HarnessError(f"runs of other record formats, or of one that kept no sums, are not joined ({told})")
    first, *others = sources
    for other in others:
        try:
            join([read_kept(first.folder), read_kept(other.folder)])
        except ValueError as error:
            raise HarnessError(
                f"{first.folder} and {other.folder} {error} ({FILE}): merge them apart, or delete that file in all of "
                "them, which makes every comparison exploratory"
            ) from None


def sort_out(everything: Sequence[MergeSource], sources: Sequence[MergeSource]) -> None:
    """Find what is new and what is doubled; an error where one id has two kinds of rows."""
    first: dict[str, tuple[Path, dict[str, Any]]] = {}
    there: dict[str, Path] = {}
    for each in everything:
        for name, manifest in each.runs.items():
            folder, known = first.setdefault(manifest["id"], (each.folder / name, manifest))
            if list_row_digests(manifest) != list_row_digests(known):
                raise HarnessError(
                    f"{each.folder / name} ({describe_making(manifest)}) and {folder} ({describe_making(known)}) "
                    "are the same run with other rows: nothing was merged, keep one of them"
                )
            if each in sources:
                if name in there:
                    each.doubled[name] = there[name]
                else:
                    each.new.append(name)
            there.setdefault(name, each.folder)


def list_row_digests(manifest: dict[str, Any]) -> list[str | None]:
    """The sums of what equal runs have equal."""
    return [manifest["files"].get(f"{name}.parquet") for name in ROWS]


def describe_making(manifest: dict[str, Any]) -> str:
    """What a run was computed with."""
    environment = manifest["environment"]
    return f"{environment['device']}, torch {environment['torch']}, harness {environment['harness']}"


def copy(sources: Sequence[MergeSource], to: Path) -> None:
    """Copy what is new, each file checked as it is read."""
    staging = to / STAGING
    with explain_disk_errors(to), Lease(to / ".leases" / STAGING).held():
        shutil.rmtree(staging, ignore_errors=True)  # of a merge that was killed
        try:
            for each in sources:
                for name in each.new:
                    if damage := verify_run(each.folder / name, each.runs[name]):
                        raise damage[0]
                    target = staging / name
                    target.mkdir(parents=True)
                    for file in (MANIFEST, *each.runs[name]["files"]):
                        shutil.copyfile(each.folder / name / file, target / file)
            os.sync()  # once for all, before a name says that a run is whole
            for each in sources:
                for name in each.new:
                    (staging / name).rename(to / name)
            already = [read_kept(to)] if (to / FILE).exists() else []
            if declared := join([*already, *(read_kept(each.folder) for each in sources)]):
                keep(to, declared)
            sync_folder(to)
        finally:
            shutil.rmtree(staging, ignore_errors=True)
