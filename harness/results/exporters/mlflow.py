"""MLflow, a run each: into a local folder, or to a tracking server."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors, resolve_path
from harness.results.exporters.base import Board, Part, Tracker, hash_run, select_numbers

MARK = "harness.run"
"""The tag that tells a whole run from others of its method and seed."""
ID = "harness.id"
"""The tag of the configuration that a run is of."""
AT_ONCE = 900
"""Metrics that one call may log (MLflow's limit is 1,000)."""


class MLflow(Tracker):
    """MLflow, a run each: into a local folder, or to a tracking server (--to http://..). Needs mlflow-skinny."""

    name = "mlflow"

    def open(self, study: str, to: str | None) -> str:
        # MLflow 3 asks to be told that a folder will do; no server runs where exports are read offline
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        try:
            from mlflow.tracking import MlflowClient
        except ImportError:
            raise HarnessError("exporting to MLflow needs its package: pip install mlflow-skinny, or mlflow") from None
        self.place = to or "mlruns"
        with self.reached():
            self.client = MlflowClient(tracking_uri=format_address(self.place))
            known = self.client.get_experiment_by_name(study)
            self.experiment = known.experiment_id if known else self.client.create_experiment(study)
        return self.place

    def tagged(self, condition: str) -> list[Any]:
        """The runs of the study that a condition on tags holds for."""
        with self.reached():
            return list(self.client.search_runs([self.experiment], condition))

    def holds(self, part: Part) -> bool:
        # by the fingerprint alone: what a method is called may hold quotes
        ends = f"tags.`{MARK}` LIKE '%/{hash_run(part.rows)}'"
        return part.whole and any(run.info.status == "FINISHED" for run in self.tagged(ends))

    def begin(self, part: Part) -> Board:
        begun = [run for run in self.tagged(f"tags.`{ID}` = '{part.id}'") if run.info.status == "RUNNING"]
        with self.reached():
            if not begun:
                tags = {ID: part.id, "method": part.method, "seed": str(part.seed)}
                return Board(self.client.create_run(self.experiment, run_name=make_title(part), tags=tags).info.run_id)
            number = begun[0].info.run_id
            sent: dict[int, dict[str, float]] = {}
            for name in begun[0].data.metrics:
                for metric in self.client.get_metric_history(number, name):
                    sent.setdefault(metric.step, {})[name] = metric.value
            return Board(number, sent)

    def numbers(self, row: dict[str, Any]) -> dict[str, float]:
        return {name.replace("@", " at "): value for name, value in select_numbers(row).items()}

    def add(self, board: Board, rows: list[tuple[dict[str, Any], dict[str, float]]]) -> None:
        from mlflow.entities import Metric

        metrics = [
            Metric(name, value, int(1000 * row["seconds"]) if row["seconds"] > 0 else 0, int(row["epoch"]))
            for row, numbers in rows
            for name, value in numbers.items()
        ]
        with self.reached():
            for first in range(0, len(metrics), AT_ONCE):
                self.client.log_batch(board.handle, metrics=metrics[first : first + AT_ONCE])

    def finish(self, board: Board, part: Part) -> None:
        tags = {MARK: f"{part.method}/{part.seed}/{hash_run(part.rows)}", "arch": str(part.rows["arch"].iloc[-1])}
        with self.reached():
            for key, value in tags.items():
                self.client.set_tag(board.handle, key, value)
            self.client.set_terminated(board.handle)

    def drop(self, board: Board, part: Part) -> None:
        with self.reached():
            self.client.delete_run(board.handle)

    @contextmanager
    def reached(self) -> Iterator[None]:
        """Turn what MLflow says of a server that does not answer, or of a database without its driver, into a
        sentence."""
        from mlflow.exceptions import MlflowException

        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # tracebacks of folders that are none of its; what it cannot do it raises
        try:
            with explain_disk_errors(Path(self.place)):
                yield
        except ModuleNotFoundError as error:
            raise HarnessError(
                f"MLflow needs {error.name} to write to {self.place}: pip install {error.name}"
            ) from None
        except MlflowException as error:
            first, *_ = str(error).splitlines() or ["no reason given"]
            raise HarnessError(f"MLflow cannot write to {self.place}: {first[:200]}") from None
        finally:
            logging.disable(before)


def make_title(part: Part) -> str:
    return f"{part.method} seed {part.seed}"


def format_address(place: str) -> str:
    """A folder as an address; an address as it is."""
    return place if "://" in place else resolve_path(Path(place)).as_uri()
