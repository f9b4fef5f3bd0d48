"""Whether a study's runs can run, before anything runs: data, batches, network and table fit each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from harness.core.errors import HarnessError
from harness.core.lazy import torch
from harness.core.memory import find_memory_limit
from harness.datasets.base import Data, Images
from harness.runs.study import Run, Study
from harness.search.searchers.base import SupernetSearcher
from harness.spaces.base import IMAGES, WORDS
from harness.spaces.blocks.mix import convert_to_mix
from harness.spaces.fit import check_space, locate_error

if TYPE_CHECKING:
    from harness.spaces.blocks.supernet import Supernet

SHOWN = 2
"""Items that are put through a network."""
USUAL = 32
"""Pixels of a side that every network takes."""


def check_study(study: Study, runs: Iterable[Run]) -> None:
    """An error that says, in a sentence each, what is wrong with these runs of the study. Writes nothing."""
    first = {run.method_name: run for run in runs}
    supernets = [run for run in first.values() if isinstance(run.method.searcher, SupernetSearcher)]
    checks: list[Callable[[], list[str]]] = [partial(check_declared, run) for run in list(first.values())[:1]]
    checks += [partial(check_table_search, run) for run in first.values() if run not in supernets]
    if supernets:
        checks += [partial(check_probes, supernets[0]), partial(check_supernets, supernets)]
    if problems := [sentence for check in checks for sentence in collect_findings(check)]:
        raise HarnessError("\n".join(f"study {study.source}: {p}" for p in dict.fromkeys(problems)))


def collect_findings(check: Callable[[], list[str]]) -> list[str]:
    """What a check finds, whether it returns or raises it."""
    try:
        return check()
    except HarnessError as error:
        return [str(error)]


def check_declared(run: Run) -> list[str]:
    """Whether the space fits together in itself."""
    check_space(run.space)
    return []


def check_table_search(run: Run) -> list[str]:
    """Whether the table has what the searcher asks for; a table that would train it first is not asked."""
    if run.table is not None and run.table.complete:
        run.method.searcher.start(run.space, run.table, run.streams())
    return []


def check_probes(run: Run) -> list[str]:
    """Whether the networks and the table are what the probes ask for."""
    unfit = [
        f"the probe {probe.name!r} needs {ask}, which networks of {run.space.name} do not have: leave it out"
        for probe in run.probes
        for ask in probe.asks
        if ask not in run.space.has
    ]
    if unfit or (run.table is not None and run.table.complete):
        return unfit
    what = "there is none" if run.table is None else f"{run.table.name} does not"
    return [
        f"the probe {probe.name!r} needs a table that holds every architecture, and {what}: name such a table, "
        f"or leave [probes.{probe.name}] out"
        for probe in run.probes
        if probe.needs_table
    ]


def check_supernets(runs: list[Run]) -> list[str]:
    """The data, opened once, and every different network of the methods with a few of its images."""
    images: Data = runs[0].dataset.load(torch.device("cpu"))
    if images.kind not in runs[0].space.has:
        wanted = WORDS if WORDS in runs[0].space.has else IMAGES
        return [f"{runs[0].space.name} reads {wanted}, and the data set {runs[0].dataset.name} has {images.kind}"]
    sizes = dict.fromkeys(run.training.batch_size for run in runs)
    problems = [sentence for size in sizes for sentence in images.problems(runs[0].dataset.name, size)]
    if problems:
        return list(dict.fromkeys(problems))
    found: dict[str, list[str]] = {}
    for run in runs:
        key = repr((run.supernet, sorted(run.method.supernet_options().items())))
        if key not in found:
            found[key] = collect_findings(partial(check_network, run, images))
    started = [sentence for run in runs for sentence in collect_findings(partial(check_start, run))]
    return [*(sentence for sentences in found.values() for sentence in sentences), *started]


def check_start(run: Run) -> list[str]:
    """Whether the space has what the searcher begins with."""
    run.method.searcher.initial([torch.zeros(shape) for shape in run.space.alpha_shapes], run.space)
    return []


def check_network(run: Run, images: Data) -> list[str]:
    """Whether images of this size go through the network, and what a step keeps of a batch fits into memory."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    try:
        net = build_run_network(run, images)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            given = evaluate_once(net, run, images)
    except HarnessError:
        raise
    except Exception as error:  # a network of one's own can fail in any way
        return [explain_failure(run, images, error)]
    shape = list(given.shape) if isinstance(given, torch.Tensor) else f"a {type(given).__name__}"
    _, answers = images.example(SHOWN)
    if shape != [answers, images.classes]:
        return [
            f"the network of {run.space.name} gives {shape} for {answers} {images.kind} of {images.classes} "
            f"classes: it has to give [{answers}, {images.classes}]"
        ]
    for weight in net.parameters():
        kept.pop(weight.untyped_storage().data_ptr(), None)
    needed, limit = sum(kept.values()) * run.training.batch_size / SHOWN, find_memory_limit()
    if needed > limit:
        return [
            f"a batch of {run.training.batch_size} needs {needed / 1e9:.3g} GB in the network of "
            f"{run.space.name}, more than the {limit / 1e9:.3g} GB of this machine: lower training.batch_size, "
            "supernet.channels or supernet.cells"
        ]
    return []


def build_run_network(run: Run, images: Data) -> Supernet:
    """The run's network, with random weights."""
    from harness.spaces.blocks.build import build_supernet

    net = build_supernet(
        run.space,
        run.space.presets[run.preset],
        channels=run.supernet.channels,
        cells=run.supernet.cells or run.space.default_cells,
        classes=images.classes,
        image_channels=images.image_channels,
        generator=torch.Generator().manual_seed(0),
        implementation=run.supernet.implementation,
        **run.method.supernet_options(),
    )
    net.draw = lambda _, make: make(torch.Generator().manual_seed(0))
    return net


def evaluate_once(net: Supernet, run: Run, images: Data, x: Any = None) -> torch.Tensor:
    """What the network gives for a few of these items, or for x, with every choice undecided."""
    x, like = images.example(SHOWN)[0] if x is None else x, torch.zeros(())
    shapes = run.space.alpha_shapes
    scores: torch.Tensor = net(
        x, convert_to_mix([torch.full(each, 1 / each[1]) for each in shapes], [like] * len(shapes))
    )
    return scores


def explain_failure(run: Run, images: Data, error: Exception) -> str:
    """Whether it is the images that do not fit, or the network that fails whatever they are."""
    if not isinstance(images, Images):
        return f"the network of {run.space.name} fails on {images.kind}: {locate_error(error)}"
    channels, height, width = images.shape
    try:
        evaluate_once(build_run_network(run, images), run, images, torch.zeros(SHOWN, channels, USUAL, USUAL))
    except Exception:
        size = f"{channels} x {height} x {width}"
        return f"the network of {run.space.name} fails on {SHOWN} images of {size}: {locate_error(error)}"
    return (
        f"images of {height} x {width} pixels do not go through the network of {run.space.name}, which halves them "
        f"stage by stage ({str(error).splitlines()[0]:.120}): give images whose sides can be halved"
    )
