"""What a study declared about its comparison before its first run, kept beside the runs."""

from __future__ import annotations

import json
from pathlib import Path

from harness.disk import disk
from harness.endpoints import Declared

FILE = "declared.json"


def declare(folder: Path, declared: Declared, *, begun: bool) -> None:
    """Keep the declaration if none is kept, and no run has begun. folder: the study's."""
    if begun or (folder / FILE).exists():
        return
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / FILE).write_text(json.dumps(declared.model_dump(mode="json"), indent=1) + "\n")


def standing(folder: Path, declared: Declared) -> str:
    """ "declared before the first run", or why the comparison is exploratory."""
    try:
        kept = json.loads((folder / FILE).read_text())
    except (OSError, ValueError):
        return "exploratory: nothing was declared before the first run"
    changed = [key for key, value in declared.model_dump(mode="json").items() if kept.get(key) != value]
    if changed:
        return f"exploratory: {', '.join(changed)} changed since the first run"
    return "declared before the first run"
