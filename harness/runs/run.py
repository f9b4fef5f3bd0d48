"""One run: the search, with one record an epoch, a lookup of the derived architecture, and a checkpoint.

Epoch 0 is the state before any training; epoch e is the state after e epochs.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import torch

from harness.core.streams import Streams
from harness.runs.code import digest_code
from harness.runs.machine import RunClock, describe_environment
from harness.runs.rows import lookup_records, record_architecture
from harness.runs.store import Rows, RunFolder
from harness.runs.study import RECORD_FORMAT, Run
from harness.search.build import build_search
from harness.search.loop import SupernetSearch
from harness.search.searchers.base import SupernetSearcher
from harness.search.state import SearchState
from harness.search.together import Seat
from harness.spaces.base import Architecture
from harness.tables.training.on_demand import TrainedTable

PROGRESS_SECONDS = 1.0


class Process(Protocol):
    """A search in progress: a supernet search, or one that asks the table alone."""

    def train_epoch(self, epoch: int, on_step: Callable[[], None]) -> dict[str, float]: ...
    def evaluate(self, count: int | None = None) -> dict[str, float]: ...
    def evaluated_columns(self) -> tuple[str, ...]: ...
    def select(self) -> Architecture: ...
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any]) -> None: ...


def start(run: Run, device: torch.device, streams: Streams | None = None) -> Process:
    """The run's search in its initial state. Weights, logits and data order depend on its streams alone, which may be
    given by who wants to look at them."""
    streams = streams or run.streams()
    if not isinstance(run.method.searcher, SupernetSearcher):
        process: Process = run.method.searcher.start(run.space, run.table, streams)
        return process
    images = run.dataset.load(device)
    search = build_search(
        run.space,
        run.method,
        channels=run.supernet.channels,
        cells=run.supernet.cells or run.space.default_cells,
        classes=images.classes,
        image_channels=images.image_channels,
        epochs=run.epochs,
        streams=streams,
        training=run.training,
        preset=run.space.presets[run.preset],
        implementation=run.supernet.implementation,
        device=device,
    )
    search.bind(images)
    return search


def execute(run: Run, folder: RunFolder, device: torch.device, seat: Seat | None = None) -> None:
    """Run a search to its end, from its last checkpoint if there is one; `Held` where another process computes it.
    seat: its own, where it is computed beside others."""
    lease = folder.lease()
    with lease.held():
        if folder.finished:
            folder.tidy()
            return
        folder.open()
        if isinstance(run.table, TrainedTable):
            run.table.device = device
        process = start(run, device)
        rows: Rows = {"epochs": [], "lookups": [], "timing": []}
        code = digest_code(run.describe())
        saved = folder.load_checkpoint(code)
        if saved is not None:
            state, rows = saved
            process.load_state_dict(state)
        if seat is not None and isinstance(process, SupernetSearch):
            seat.take(process)
        clock = RunClock(rows["timing"], *([seat.now] if seat else []))
        steps, per_epoch = 0, getattr(process, "steps_per_epoch", None)
        reported = time.monotonic()

        def on_step() -> None:
            nonlocal steps, reported
            steps += 1
            if time.monotonic() - reported > PROGRESS_SECONDS:
                reported = time.monotonic()
                folder.save_progress(describe_progress(run, len(rows["epochs"]), clock, steps, per_epoch))

        for epoch in range(len(rows["epochs"]), run.epochs + 1):
            steps = 0
            trained = process.train_epoch(epoch - 1, on_step) if epoch else {"train_loss": float("nan")}
            architecture = process.select()
            record = record_epoch(epoch, trained | evaluate_network(epoch, process, run), process, architecture, run)
            with clock.apart("probe_s"):
                rows["epochs"].append(record | record_probes(epoch, process, run))
            with clock.apart("lookup_s"):
                rows["lookups"] += lookup_records(epoch, architecture, run.table if run.judged(epoch) else None)
            rows["timing"].append(clock.record(epoch, device) | record_spending(process))
            lease.check()
            folder.save_checkpoint(
                process.state_dict(), rows, describe_progress(run, epoch + 1, clock, 0, per_epoch), code
            )
        lease.check()
        folder.finish(rows, build_manifest(run, device))


def evaluate_network(epoch: int, process: Process, run: Run) -> dict[str, float]:
    """Loss and accuracy of the one-shot network, NaN where the study does not ask for them."""
    if epoch % run.evaluation.every and epoch != run.epochs:
        return dict.fromkeys(process.evaluated_columns(), float("nan"))
    return process.evaluate(run.evaluation.images)


def record_epoch(
    epoch: int, losses: dict[str, float], process: Process, architecture: Architecture, run: Run
) -> dict[str, Any]:
    """One row: losses, supernet accuracy, entropy, the derived architecture and its operation counts, all logits."""
    counts = record_architecture(architecture, run.space)
    told = {name: counts.pop(name) for name in ("architecture", "key")}
    record: dict[str, Any] = {"epoch": epoch, **losses, **told}
    alphas = [a.cpu().double().numpy() for a in process.logits()] if isinstance(process, SearchState) else []
    mix = [np.exp(a - a.max(-1, keepdims=True)) for a in alphas]
    weights = np.concatenate([(m / m.sum(-1, keepdims=True)).ravel() for m in mix]) if mix else np.array([])
    logs = np.log(weights, where=weights > 0, out=np.zeros_like(weights))
    choices = sum(a.shape[0] for a in alphas)
    record["entropy_nats"] = float(-(weights * logs).sum() / choices) if choices else float("nan")
    record["alphas"] = np.concatenate([a.ravel() for a in alphas]).tolist() if alphas else []
    return record | counts


def record_probes(epoch: int, process: Process, run: Run) -> dict[str, Any]:
    """The columns of the study's probes; of a search without a network there are none."""
    found: dict[str, Any] = {}
    if isinstance(process, SearchState):
        for probe in run.probes:
            if epoch % probe.every == 0 or epoch == run.epochs:
                found |= probe.measure(process, run.table)
    return found


def record_spending(process: Process) -> dict[str, float]:
    """What a search has spent on the table's simulated clock: seconds of training and evaluation (NaN where the table
    has none, or a supernet is searched, which spends real ones), and epochs of training."""
    nan = float("nan")
    return {
        "simulated_s": getattr(process, "spent_s", nan),
        "simulated_epochs": float(getattr(process, "spent_epochs", nan)),
    }


def describe_progress(run: Run, epochs_done: int, clock: RunClock, steps: int, per_epoch: int | None) -> dict[str, Any]:
    """What the live display shows of a run: epochs recorded (epoch 0 included), steps since, seconds so far."""
    return {
        "recorded": epochs_done,
        "epochs": run.epochs + 1,
        "steps": steps,
        "steps_per_epoch": per_epoch,
        "wall_s": clock.elapsed()[0],
    }


def build_manifest(run: Run, device: torch.device) -> dict[str, Any]:
    """The resolved configuration and what it ran on."""
    return {
        "id": run.id,
        "record_format": RECORD_FORMAT,
        "method_name": run.method_name,
        "configuration": run.describe(),
        "code": digest_code(run.describe()),
        "environment": describe_environment(device, run.training.precision),
        "epoch_convention": "epoch 0 is before any training; epoch e is after e epochs",
    }
