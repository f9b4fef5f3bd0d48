"""Which kinds of random streams a method draws from, found by a rehearsal: two short epochs on a few images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from harness.core.arithmetic import use_precision, use_threads
from harness.core.streams import KINDS, Streams, classify_stream
from harness.datasets.base import Data, StoredImages
from harness.runs.randomness import SEED
from harness.runs.run import start
from harness.runs.study import Run, Study
from harness.search.state import SearchState

BATCH = 4
FEW = 8
"""Images of each part, where they are held as tensors."""


def find_idle_factors(study: Study) -> dict[str, tuple[str, ...]]:
    """Of each method, the factors of the study's design that none of its runs can depend on: what it draws nothing
    from, and the order of sums where it trains no network. Methods without any are left out.

    A stream that is drawn from between the first and the last epoch alone is not found, and called idle, too.
    """
    first = {run.method_name: run for run in study.runs}
    found = {}
    for name, run in first.items():
        drawn = list_drawn_streams(run)
        follows = {kind for kind in drawn & set(KINDS) if not study.file.randomness.levels.get(kind)}
        active = drawn | ({SEED} if follows else set())
        if unused := tuple(factor for factor in study.design.factors if factor not in active):
            found[name] = unused
    return found


def list_drawn_streams(run: Run) -> set[str]:
    """The kinds of streams that a run draws from in its first and its last epoch, and what it is computed with."""
    where = torch.device("cpu")
    short = replace(run, training=run.training.model_copy(update={"steps_per_epoch": 1, "batch_size": BATCH}))
    with use_threads(1), use_precision("fp32", where):
        streams = Watched(run.seed, run.point.own if run.point else None)
        process = start(short, where, streams)
        if not isinstance(process, SearchState):
            return {"draws"}  # the only one that a search of a table is given
        process.bind(take_few(process.images))
        for epoch in sorted({0, run.epochs - 1}):
            process.train_epoch(epoch, lambda: None)
        process.select()
        for probe in run.probes:
            probe.measure(process, run.table)
    return {classify_stream(name) for name in streams.drawn()} | {"implementation", "threads"}


def take_few(images: Data) -> Data:
    """The first few items of each part; all of them, where they are no images."""
    if not isinstance(images, StoredImages):
        return images
    images.parts = {part: (x[:FEW], labels[:FEW]) for part, (x, labels) in images.parts.items()}
    return images


class Watched(Streams):
    """Streams that know which of them were drawn from, also by what put them back afterwards."""

    def __init__(self, seed: int, own: Mapping[str, int] | None) -> None:
        super().__init__(seed, own)
        self.put_back: set[str] = set()

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        self.put_back |= self.drawn()
        super().load_state_dict(state)

    def drawn(self) -> set[str]:
        """The names of the streams that were drawn from."""
        beginnings = {name: torch.Generator().manual_seed(self.derived(name)) for name in self.state_dict()}
        moved = {name for name, s in self.state_dict().items() if not torch.equal(s, beginnings[name].get_state())}
        return self.put_back | moved
