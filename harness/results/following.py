"""Epochs of a study that is being computed, sent to a tracker as they are finished. The runs are only read."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.results.exporters.base import Tracker, iterate_parts
from harness.results.load import read_planned
from harness.results.runs import Runs
from harness.runs.execute import POLL_SECONDS, Planned, locate_study_folder, plan
from harness.runs.store import Rows, scan_folder
from harness.runs.study import Study


def follow(study: Study, out: Path, tracker: Tracker, to: str | None, say: Callable[[str], None]) -> str:
    """Send each epoch of a study's runs when it is finished, until all runs are.

    Nothing but the runs' folders is looked at, and nothing of them is changed or held: whatever computes them, here or
    on other machines, may be killed and go on meanwhile, and so may this.

    Args:
        study: whose runs. out: the folder of all studies' runs. tracker: where epochs go. to: a place, as it was typed.
        say: told of every run that is whole.

    Returns:
        Where they are.
    """
    left, total = plan(study, out), len(study.runs)
    place = tracker.open(study.name, to)
    sent: dict[str, int] = {}
    try:
        while left:
            seen = scan_folder(locate_study_folder(out, study))
            for p in list(left):
                name = p.folder.final.name
                if name in seen.finished:
                    epochs = send_all(read_planned(study, [p]), tracker, whole=True)
                    left.remove(p)
                    say(f"[{total - len(left)}/{total}] {p.run.method_name} seed {p.run.number}: {epochs} epochs sent")
                elif name in seen.running and read_recorded(p) > sent.get(name, 0) and (rows := p.folder.rows_so_far()):
                    sent[name] = send_all(read_results_so_far(p, study, rows), tracker, whole=False)
                while tracker.replaced:
                    say(f"{tracker.replaced.pop()} had been sent with other rows, and is sent anew")
            if left:
                time.sleep(POLL_SECONDS)
    finally:
        tracker.close()
    return place


def read_recorded(planned: Planned) -> int:
    """Epochs in the checkpoint of a run."""
    return int((planned.folder.progress() or {}).get("recorded", 0))


def send_all(runs: Runs, tracker: Tracker, *, whole: bool) -> int:
    """Send the one run of these results; the epochs that are there then."""
    return sum(tracker.send(part) for part in iterate_parts(runs, whole))


def read_results_so_far(planned: Planned, study: Study, rows: Rows) -> Runs:
    """The rows of a run that is not finished, as those of one that is."""
    import pandas as pd

    run = planned.run
    frames: dict[str, Any] = {name: pd.DataFrame(rows[name]) for name in rows}
    if frames["lookups"].empty:  # nothing was judged yet
        scale = [] if study.table is None else [study.table.scale.column]
        frames["lookups"] = pd.DataFrame(columns=["epoch", "dataset", "split", "table_epochs", "trial", *scale])
        frames["lookups"] = frames["lookups"].astype({"trial": str, "epoch": int})
    for frame in frames.values():
        frame.insert(0, "method", run.method_name)
        frame.insert(1, "seed", run.number)
    ids = {(run.method_name, run.number): run.id}
    return Runs(**frames, table=study.table, space=run.space, design=study.design, ids=ids)
