"""What a study costs on this machine: a few steps of every method are measured, and kept for the next time."""

from __future__ import annotations

import heapq
import json
import platform
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import mean, median

import numpy as np
import torch

from harness.core.download import Say
from harness.core.errors import HarnessError
from harness.core.files import cache_folder, hash_values, write_atomically
from harness.core.notation import parse_json
from harness.core.version import __version__
from harness.runs.machine import RunClock
from harness.runs.retraining.fit import estimate_seconds
from harness.runs.retraining.table import RetrainedTable
from harness.runs.rows import lookup_records
from harness.runs.run import Process, build_manifest, evaluate_network, record_epoch, record_spending, start
from harness.runs.store import Rows, RunFolder
from harness.runs.study import Run
from harness.search.state import SearchState

STEPS = 3
"""Steps of each epoch that is measured."""
SECONDS = 3.0
"""After which no further epoch is measured."""
LONG = 30.0
"""Seconds of the first epoch from which on one step of each is measured: their spread is small beside them."""
EPOCHS = 24
"""Epochs at most, spread over the run: some methods are dearer late."""
EVALUATED = 500
"""Images on which an evaluation is measured, and twice as many; more are reckoned from both."""


@dataclass(frozen=True)
class Price:
    """Seconds of one run's parts: its start, a step, the rest of an epoch (what methods do at its ends), an evaluation,
    all probes of the run, and the record of an epoch. steps: an epoch. memory_mb: at its peak; disk_mb: of its files,
    without the checkpoint that it has until it is finished. judging_s: of training what is derived, were it another
    architecture every time."""

    start_s: float
    step_s: float
    steps: int
    rest_s: float
    evaluation_s: float
    probes_s: float
    record_s: float
    memory_mb: float
    disk_mb: float
    judging_s: float = 0.0

    @property
    def epoch_s(self) -> float:
        return self.steps * self.step_s + self.rest_s + self.record_s

    def run_s(self, run: Run) -> float:
        """Seconds of the whole run."""
        evaluations = sum(is_due(e, run.evaluation.every, run) for e in range(run.epochs + 1))
        epochs = run.epochs * self.epoch_s + self.record_s
        return self.start_s + epochs + evaluations * self.evaluation_s + self.probes_s + self.judging_s


def is_due(epoch: int, every: int, run: Run) -> bool:
    """Whether what is done every so many epochs, and after the last, is done after this one."""
    return epoch % every == 0 or epoch == run.epochs


def measure_prices(runs: Iterable[Run], device: str, say: Say) -> dict[str, Price]:
    """The price of a run of each method, from the cache or measured in a process of its own."""
    from joblib.externals.loky import ProcessPoolExecutor

    found: dict[str, Price] = {}
    for run in runs:
        if run.method_name in found:
            continue
        path = cache_folder() / "prices" / f"{identify_price(run, device)}.json"
        if (known := read_kept_price(path)) is not None:
            found[run.method_name] = known
            continue
        say(f"measuring {run.method_name}")
        with ProcessPoolExecutor(max_workers=1) as pool:  # a new one: its peak memory is this method's
            price = found[run.method_name] = pool.submit(measure, run, device).result()
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, json.dumps(asdict(price)).encode(), durable=False)
    return found


def read_kept_price(path: Path) -> Price | None:
    """A price that was measured before; None where none is there, or it was damaged."""
    try:
        return Price(**parse_json(path.read_bytes()))
    except (OSError, ValueError, TypeError):
        return None


def identify_price(run: Run, device: str) -> str:
    """Equal where the price is: the run without its seeds, and the machine."""
    told = {k: v for k, v in run.describe().items() if k not in ("seed", "randomness")}
    here = [__version__, torch.__version__, platform.node(), platform.processor(), device]
    return hash_values([told, here])[:16]


def measure(run: Run, device: str) -> Price:
    """Measure a run's parts; on a CPU in seconds of its one core, so that other programs do not count."""
    from harness.core.arithmetic import use_one_thread, use_precision

    where = torch.device(device)

    def now() -> float:
        if where.type == "cuda":
            torch.cuda.synchronize(where)
            return time.perf_counter()
        return time.process_time()

    judging = 0.0
    if isinstance(run.table, RetrainedTable):
        with use_one_thread(), use_precision("fp32", where):
            each = sum(
                estimate_seconds(job, where, now, STEPS)
                for job in run.table.jobs(run.space.random(np.random.default_rng(0)))
            )
        judging, run = each * sum(map(run.judged, range(run.epochs + 1))), replace(run, table=None)
    if run.table is not None and not run.table.complete:
        raise HarnessError(
            f"table {run.table.name} trains what it is asked for, and that cannot be measured beforehand"
        )
    with use_one_thread(), use_precision("fp32", where):
        began = now()
        process = begin(run, STEPS, where)
        started = now() - began
        warm = warm_up(process, now)
        if warm > LONG:
            process = begin(run, 1, where)
        step, rest, steps = measure_training(process, run.epochs, now, SECONDS - warm)
        evaluation = measure_evaluation(process, run, now)
        probing = 0.0
        if isinstance(process, SearchState):
            whole = process.images.feed(
                batch_size=process.training.batch_size,
                sampling=process.training.sampling,
                steps_per_epoch=run.training.steps_per_epoch,
                preset=process.preset,
                streams=run.streams(),
            )
            steps = whole.steps_per_epoch
            for probe in run.probes:
                began = now()
                probe.measure(process, run.table)
                probing += (now() - began) * sum(is_due(e, probe.every, run) for e in range(run.epochs + 1))
        record, disk, memory = measure_recording(process, run, where)
    return Price(started, step, steps, rest, evaluation, probing, record, memory, disk, judging)


def begin(run: Run, steps: int, device: torch.device) -> Process:
    """A run with so many steps an epoch, before its first one."""
    return start(replace(run, training=run.training.model_copy(update={"steps_per_epoch": steps})), device)


def warm_up(process: Process, now: Callable[[], float]) -> float:
    """Seconds of an epoch that is not measured: the first steps take longer than others."""
    began = now()
    process.train_epoch(0, lambda: None)
    return now() - began


def measure_training(process: Process, epochs: int, now: Callable[[], float], limit: float) -> tuple[float, float, int]:
    """Mean seconds of a step and of the rest of an epoch, and the steps that were taken in one. limit: seconds after
    which no further epoch is measured, but three at least."""
    count = min(epochs, EPOCHS)
    chosen = [round(i * (epochs - 1) / max(1, count - 1)) for i in range(count)]
    # the first and the last ones first: time may not do for all
    order = sorted(chosen, key=lambda e: int(f"{e:016b}"[::-1], 2))
    steps: list[float] = []
    rests: list[float] = []
    taken, began = 1, now()
    for number, epoch in enumerate(order):
        moments = [now()]

        def on_step(moments: list[float] = moments) -> None:
            moments.append(now())

        process.train_epoch(epoch, on_step)
        ended, taken = now(), max(taken, len(moments) - 1)
        between = [b - a for a, b in pairwise(moments[1:])] or [moments[-1] - moments[0]]
        steps.append(median(between))
        rests.append(max(0.0, ended - moments[0] - steps[-1] * (len(moments) - 1)))
        if number > 1 and now() - began > limit:
            break
    return mean(steps), mean(rests), taken


def measure_evaluation(process: Process, run: Run, now: Callable[[], float]) -> float:
    """Seconds of one evaluation."""

    def seconds(count: int) -> float:
        began = now()
        process.evaluate(count)
        return now() - began

    if not isinstance(process, SearchState):
        return seconds(1)
    held: int = process.images.evaluated_size("valid")
    count = min(run.evaluation.images or held, held)
    seconds(min(count, EVALUATED))
    if count <= 2 * EVALUATED:
        return seconds(count)
    few, more = seconds(EVALUATED), seconds(2 * EVALUATED)
    return few + max(0.0, more - few) * (count - EVALUATED) / EVALUATED


def measure_recording(process: Process, run: Run, device: torch.device) -> tuple[float, float, float]:
    """Seconds of an epoch's record and checkpoint, halfway through; MB on disk, and of memory at the peak so far."""
    epochs = run.epochs + 1
    nan = float("nan")
    short = replace(run, evaluation=run.evaluation.model_copy(update={"every": 1, "images": 1}))
    architecture = process.select()
    clock = RunClock([])
    began = time.perf_counter()
    losses = {"train_loss": nan} | evaluate_network(0, process, short)
    rows: Rows = {
        "epochs": [record_epoch(0, losses, process, architecture, run)],
        "lookups": lookup_records(0, architecture, run.table),
        "timing": [clock.record(0, device) | record_spending(process)],
    }
    with tempfile.TemporaryDirectory() as folder:
        kept = RunFolder(Path(folder), "run")
        kept.open()
        half = {name: (held * epochs)[: max(1, len(held) * epochs // 2)] for name, held in rows.items()}
        kept.save_checkpoint(process.state_dict(), half, {})
        seconds = time.perf_counter() - began
        kept.finish({name: held * epochs for name, held in rows.items()}, build_manifest(run, device))
        size = sum(p.stat().st_size for p in kept.final.iterdir())
    return seconds, size / 1e6, RunClock([]).record(0, device)["peak_memory_mb"]


def compute_total_seconds(seconds: Sequence[float], jobs: int) -> float:
    """Seconds until all are done in this order, `jobs` at a time."""
    places = [0.0] * max(1, jobs)
    for each in seconds:
        heapq.heapreplace(places, places[0] + each)
    return max(places)
