"""Whether a study's runs can run, before anything runs: data, batches, network and table fit each other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial

import torch

from harness.core.errors import HarnessError
from harness.core.memory import memory_limit
from harness.core.seeds import derive_seed
from harness.core.streams import Streams
from harness.datasets.base import Images, Part
from harness.runs.study import Run, Study
from harness.search.searchers.base import SupernetSearcher
from harness.spaces.blocks.build import build_supernet
from harness.spaces.blocks.supernet import Supernet, as_mix
from harness.spaces.fit import check_space, located

SAMPLE = 2048
"""Images of a half that are looked at."""
SHOWN = 2
"""Images that are put through a network."""
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
    if problems := [sentence for check in checks for sentence in told(check)]:
        raise HarnessError("\n".join(f"study {study.source}: {p}" for p in dict.fromkeys(problems)))


def told(check: Callable[[], list[str]]) -> list[str]:
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
        run.method.searcher.start(run.space, run.table, Streams(run.seed))
    return []


def check_probes(run: Run) -> list[str]:
    """Whether the table is what the probes ask for."""
    if run.table is not None and run.table.complete:
        return []
    what = "there is none" if run.table is None else f"{run.table.name} does not"
    return [
        f"the probe {probe.name!r} needs a table that holds every architecture, and {what}: name such a table, "
        f"or leave [probes.{probe.name}] out"
        for probe in run.probes
        if probe.needs_table
    ]


def check_supernets(runs: list[Run]) -> list[str]:
    """The data, opened once, and every different network of the methods with a few of its images."""
    images = runs[0].dataset.load(torch.device("cpu"))
    batches = {run.training.batch_size: run for run in runs}
    problems = list(dict.fromkeys(sentence for run in batches.values() for sentence in check_data(run, images)))
    if problems:
        return problems
    found: dict[str, list[str]] = {}
    for run in runs:
        key = repr((run.supernet, sorted(run.method.supernet_options().items())))
        if key not in found:
            found[key] = told(partial(check_network, run, images))
    started = [sentence for run in runs for sentence in told(partial(check_start, run))]
    return [*(sentence for sentences in found.values() for sentence in sentences), *started]


def check_data(run: Run, images: Images) -> list[str]:
    """Whether both halves are large enough for a batch and have more than one class."""
    problems = []
    halves: tuple[tuple[Part, str], ...] = (("train", "training"), ("valid", "search-validation"))
    for part, word in halves:
        size, wanted = images.size(part), run.training.batch_size
        if size < wanted:
            problems.append(
                f"the {word} half of {run.dataset.name} has {size} images, fewer than one batch of {wanted}: lower "
                "training.batch_size, or give more images"
            )
        if not size:
            continue
        generator = torch.Generator().manual_seed(derive_seed(0, "check"))
        chosen = torch.randint(0, size, (min(size, SAMPLE),), generator=generator)
        x, labels = images.batch(part, chosen, generator)
        if not torch.isfinite(x).all():
            problems.append(f"the {word} half of {run.dataset.name} has pixels that are no numbers: mend the file")
        if labels.min() < 0 or labels.max() >= images.classes:
            problems.append(
                f"the {word} half of {run.dataset.name} has labels outside 0..{images.classes - 1}: mend the file"
            )
        elif labels.min() == labels.max():
            problems.append(
                f"the {word} half of {run.dataset.name} has images of one class alone ({int(labels[0])}), and there is "
                "nothing to tell apart: shuffle the file, or give other data"
            )
    return problems


def check_start(run: Run) -> list[str]:
    """Whether the space has what the searcher begins with."""
    run.method.searcher.initial([torch.zeros(shape) for shape in run.space.alpha_shapes], run.space)
    return []


def check_network(run: Run, images: Images) -> list[str]:
    """Whether images of this size go through the network, and what a step keeps of a batch fits into memory."""
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    try:
        net = network_of(run, images)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            given = once(net, run, images.shape)
    except HarnessError:
        raise
    except Exception as error:  # a network of one's own can fail in any way
        return [why_not(run, images, error)]
    if tuple(given.shape) != (SHOWN, images.classes):
        return [
            f"the network of {run.space.name} gives {list(given.shape)} for {SHOWN} images of {images.classes} "
            f"classes: it has to give [{SHOWN}, {images.classes}]"
        ]
    for weight in net.parameters():
        kept.pop(weight.untyped_storage().data_ptr(), None)
    needed, limit = sum(kept.values()) * run.training.batch_size / SHOWN, memory_limit()
    if needed > limit:
        return [
            f"a batch of {run.training.batch_size} images needs {needed / 1e9:.3g} GB in the network of "
            f"{run.space.name}, more than the {limit / 1e9:.3g} GB of this machine: lower training.batch_size, "
            "supernet.channels or supernet.cells"
        ]
    return []


def network_of(run: Run, images: Images) -> Supernet:
    """The run's network, with random weights."""
    net = build_supernet(
        run.space,
        run.space.presets[run.preset],
        channels=run.supernet.channels,
        cells=run.supernet.cells or run.space.default_cells,
        classes=images.classes,
        image_channels=images.shape[0],
        generator=torch.Generator().manual_seed(0),
        implementation=run.supernet.implementation,
        **run.method.supernet_options(),
    )
    net.draw = lambda _, make: make(torch.Generator().manual_seed(0))
    return net


def once(net: Supernet, run: Run, shape: Sequence[int]) -> torch.Tensor:
    """What the network gives for images of this shape, with every choice undecided."""
    x = torch.zeros(SHOWN, *shape)
    shapes = run.space.alpha_shapes
    scores: torch.Tensor = net(x, as_mix([torch.full(each, 1 / each[1]) for each in shapes], [x] * len(shapes)))
    return scores


def why_not(run: Run, images: Images, error: Exception) -> str:
    """Whether it is the images that do not fit, or the network that fails whatever they are."""
    channels, height, width = images.shape
    try:
        once(network_of(run, images), run, (channels, USUAL, USUAL))
    except Exception:
        size = f"{channels} x {height} x {width}"
        return f"the network of {run.space.name} fails on {SHOWN} images of {size}: {located(error)}"
    return (
        f"images of {height} x {width} pixels do not go through the network of {run.space.name}, which halves them "
        f"stage by stage ({str(error).splitlines()[0]:.120}): give images whose sides can be halved"
    )
