"""MLflow, a run each: into a local folder, or to a tracking server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors
from harness.results.exporters.base import Exporter, hash_run, iterate_runs, select_numbers, tabulate_epochs
from harness.results.frames import Results

MARK = "harness.run"
AT_ONCE = 900
"""Metrics that one call may log (MLflow's limit is 1,000)."""


class MLflow(Exporter):
    """MLflow, a run each: into a local folder, or to a tracking server (--to http://..). Needs mlflow-skinny."""

    name = "mlflow"

    def write(self, results: Results, study: str, to: str | None) -> str:
        # MLflow 3 asks to be told that a folder will do; no server runs where exports are read offline
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        try:
            from mlflow.entities import Metric, RunTag
            from mlflow.tracking import MlflowClient
        except ImportError:
            raise HarnessError("exporting to MLflow needs its package: pip install mlflow-skinny, or mlflow") from None
        place = to or "mlruns"
        with explain_disk_errors(Path(place)), explain_server_errors(place):
            client = MlflowClient(tracking_uri=format_address(place))
            known = client.get_experiment_by_name(study)
            experiment = known.experiment_id if known else client.create_experiment(study)
        for method, seed, run in iterate_runs(tabulate_epochs(results)):
            mark = f"{method}/{seed}/{hash_run(run)}"
            there = client.search_runs([experiment], f"tags.`{MARK}` = '{mark}'")
            if any(found.info.status == "FINISHED" for found in there):
                continue
            for unfinished in there:
                client.delete_run(unfinished.info.run_id)
            number = client.create_run(experiment, run_name=f"{method} seed {seed}", tags={MARK: mark}).info.run_id
            metrics = [
                Metric(
                    name.replace("@", " at "),
                    value,
                    int(1000 * (row["seconds"] if row["seconds"] > 0 else 0)),
                    row["epoch"],
                )
                for row in run.to_dict("records")
                for name, value in select_numbers({str(k): v for k, v in row.items()}).items()
            ]
            for first in range(0, len(metrics), AT_ONCE):
                client.log_batch(number, metrics=metrics[first : first + AT_ONCE])
            tags = {"method": method, "seed": str(seed), "arch": str(run["arch"].iloc[-1])}
            client.log_batch(number, tags=[RunTag(k, v) for k, v in tags.items()])
            client.set_terminated(number)
        return place


@contextmanager
def explain_server_errors(place: str) -> Iterator[None]:
    """Turn what MLflow says of a server that does not answer, or of a database without its driver, into a sentence."""
    from mlflow.exceptions import MlflowException

    try:
        yield
    except ModuleNotFoundError as error:
        raise HarnessError(f"MLflow needs {error.name} to write to {place}: pip install {error.name}") from None
    except MlflowException as error:
        first, *_ = str(error).splitlines() or ["no reason given"]
        raise HarnessError(f"MLflow cannot write to {place}: {first[:200]}") from None


def format_address(place: str) -> str:
    """A folder as an address; an address as it is."""
    return place if "://" in place else Path(place).resolve().as_uri()
