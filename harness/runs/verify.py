"""Whether finished runs are what was written: every file by its SHA-256, every manifest by its own, every id by its
configuration."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.runs.archive import find_damage
from harness.runs.manifest import MANIFEST, RUN_NAME, DamagedError, is_unsealed, read_manifest
from harness.runs.store import RunFolder, scan_folder
from harness.runs.study import compute_run_id

DEPTH = 2
"""Folders of runs are looked for this far below: a folder of all studies, a study's, a run's."""


@dataclass
class Verified:
    """What was looked at: folders in which all is as it was written; those of record format 1, which kept no sums to
    check by; runs that are not finished; what is damaged."""

    whole: list[Path] = field(default_factory=list)
    unsealed: list[Path] = field(default_factory=list)
    running: list[Path] = field(default_factory=list)
    damaged: list[DamagedError] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.whole or self.unsealed or self.running or self.damaged)


def verify(folders: Sequence[Path]) -> Verified:
    """Read every file of the runs in these folders: a run's, a study's, one of all studies, or published results."""
    seen = Verified()
    for folder in folders:
        if not folder.is_dir():
            raise HarnessError(f"there is no folder of runs at {folder}: name a study's folder, or one run's")
        found = Verified()
        for path in iterate_result_folders(folder, DEPTH, found.running):
            verify_one(path, found)
        if not found:
            raise HarnessError(f"{folder} holds no runs: name a study's folder, or one run's")
        for name, paths in vars(found).items():
            getattr(seen, name).extend(paths)
    return seen


def iterate_result_folders(folder: Path, depth: int, running: list[Path]) -> Iterator[Path]:
    """The folders of finished runs and of published results; adds to those of unfinished runs."""
    if RUN_NAME.search(folder.name) or (folder / MANIFEST).exists():
        yield folder
    elif depth:
        seen = scan_folder(folder)
        running += [folder / name for name in sorted(seen.running - seen.finished)]
        for name in sorted(seen.finished):
            yield from iterate_result_folders(folder / name, depth - 1, running)


def verify_one(path: Path, found: Verified) -> None:
    """Add a folder of one run, or of published results, to what was found."""
    try:
        manifest = read_manifest(path / MANIFEST)
    except DamagedError as error:
        found.damaged.append(error)
        return
    damage = verify_run(path, manifest) if "configuration" in manifest else find_damage(path, manifest)
    if damage:
        found.damaged += damage
    elif "files" in manifest:
        found.whole.append(path)
    else:
        found.unsealed.append(path)


def verify_run(path: Path, manifest: dict[str, Any]) -> list[DamagedError]:
    """What is damaged in the folder of a finished run."""
    damage = RunFolder(path.parent, path.name).damage()
    if not damage and not is_unsealed(manifest):
        told = manifest.get("id")
        if told != compute_run_id(manifest["configuration"]):
            return [DamagedError(path / MANIFEST, f"is that of another run, {told}")]
    return damage
