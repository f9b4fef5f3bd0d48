"""Weights & Biases, offline: a folder of runs that `wandb sync` can send."""

from __future__ import annotations

from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors
from harness.results.exporters.base import Exporter, hash_run, iterate_runs, select_numbers, tabulate_epochs
from harness.results.frames import Results

DONE = "harness-done"
"""A file in the folder of each run that is whole."""


class WandB(Exporter):
    """Weights & Biases, offline: a folder of runs that `wandb sync` can send. Needs wandb."""

    name = "wandb"

    def write(self, results: Results, study: str, to: str | None) -> str:
        try:
            import wandb
        except ImportError:
            raise HarnessError("exporting to Weights & Biases needs its package: pip install wandb") from None
        root = Path(to or "wandb-offline")
        with explain_disk_errors(root):
            root.mkdir(parents=True, exist_ok=True)
        for method, seed, run in iterate_runs(tabulate_epochs(results)):
            mark = hash_run(run)
            if any(root.glob(f"wandb/offline-run-*-{mark}/{DONE}")):
                continue
            # the same id again: a killed export is overwritten where it is sent
            tracked = wandb.init(
                project=study,
                dir=str(root),
                id=mark,
                name=f"{method} seed {seed}",
                group=method,
                config={"method": method, "seed": seed},
                mode="offline",
                settings=wandb.Settings(silent=True, x_disable_stats=True, console="off"),
            )
            for row in run.to_dict("records"):
                named = {str(k): v for k, v in row.items()}
                tracked.log(select_numbers(named) | {"arch": named["arch"]}, step=int(named["epoch"]))
            folder = Path(tracked.dir).parent
            tracked.finish()
            (folder / DONE).touch()
        return str(root)
