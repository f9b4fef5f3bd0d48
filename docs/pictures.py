"""What every method does to the mixing weights of one choice, a picture each in docs/reference/methods:

    python docs/pictures.py [METHOD ...]

All methods search the same thing from the same seed, in seconds. Of those that ask a table alone the picture shows what
they asked for. docs/hooks.py puts the pictures into the reference, and says how to read them.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image

from harness.core.arithmetic import use_one_thread
from harness.plots.style import Page, use_theme
from harness.runs.run import start
from harness.runs.study import Run, load_study
from harness.search.loop import SupernetSearch
from harness.search.methods import list_methods
from harness.search.searchers.table_search import TableSearch

FOLDER = Path(__file__).parent / "reference" / "methods"
REFERENCE = "darts"
"""What is drawn pale behind every other method."""
STUDY = {
    "name": "pictures",
    "space": "nasbench201",
    "dataset": "digits100",
    "table": "nasbench201.digits",
    "seeds": [0],
    "epochs": 16,
    "supernet": {"channels": 4, "cells": 1},
    "training": {"batch_size": 16, "steps_per_epoch": 4, "alpha_learning_rate": 0.08},
}
CHEAPER = {"shapley-nas": {"shapley": {"samples": 1}}, "zarts": {"zarts": {"samples": 2, "iterations": 2}}}
"""Fields with which a method takes seconds, too."""
CHOICE = 3
"""The edge that is looked at."""
COLOURS = ("0.45", "#D55E00", "#029E73", "#0173B2", "#56B4E9")
"""Of its options."""
SIZE_INCHES, DPI = (4.2, 2.0), 130


class Seen(NamedTuple):
    """What a search showed after each step. lines [steps + 1, options]: the choice's mixing weights; dots [steps,
    options]: those at which the network's weights were trained; derived: the option that it derived. names: of the
    options."""

    names: list[str]
    lines: Any
    dots: Any
    derived: int | None


class Asked(NamedTuple):
    """What a search asked a table for: validation error in %, and after how many epochs of training."""

    errors: list[float]
    epochs: list[int]


def run_of(method: str) -> Run:
    return load_study(STUDY | {"methods": {method: CHEAPER.get(method, {})}}).runs[0]


def seen(method: str) -> Seen | Asked:
    """Search, and look."""
    run = run_of(method)
    search = start(run, torch.device("cpu"))
    if isinstance(search, TableSearch):
        return asked(search, run)
    assert isinstance(search, SupernetSearch)
    lines, dots = [weights(search)], []

    def on_step() -> None:
        lines.append(weights(search))
        dots.append(of_choice(search.net.constrained(search.last_mix)))

    for epoch in range(run.epochs):
        search.train_epoch(epoch, on_step)
    (tensor,) = run.space.tensors
    options = tensor.options[CHOICE]
    derived = run.space.mix(search.select())[0][CHOICE]
    names = [run.space.short.get(o, o) for o in options]
    return Seen(names, np.stack(lines), np.stack(dots), int(derived.argmax()) if derived.any() else None)


def weights(search: SupernetSearch) -> Any:
    mix = search.searcher.mean(search.alphas, search.moment(max(search.trained - 1, 0)))
    return of_choice(search.net.constrained(mix))


def of_choice(mix: Any) -> Any:
    """The choice's row; of tensors that tell cells apart, the first cell's."""
    found = mix[0].detach().numpy()
    return (found[0] if found.ndim == 3 else found)[CHOICE].copy()


def asked(search: TableSearch, run: Run) -> Asked:
    errors, epochs = [100 - search.score], [search.reached]
    learn = search.searcher.learn

    def noting(state: TableSearch, scored: Any, at: int) -> None:
        errors.append(100 - scored[1])
        epochs.append(at)
        learn(state, scored, at)

    object.__setattr__(search.searcher, "learn", noting)
    for epoch in range(run.epochs):
        search.train_epoch(epoch, lambda: None)
    return Asked(errors, epochs)


def draw(found: Seen | Asked, reference: Seen) -> Page:
    with use_theme():
        page = Page(figsize=SIZE_INCHES, layout="constrained")
        ax = page.subplots()
        (draw_asked if isinstance(found, Asked) else draw_seen)(ax, found, reference)
    return page


def draw_seen(ax: Any, found: Seen, reference: Seen) -> None:
    for i, (name, color) in enumerate(zip(found.names, COLOURS, strict=True)):
        if found is not reference:
            ax.plot(reference.lines[:, i], color=color, linewidth=2.5, alpha=0.22, solid_capstyle="butt")
        ax.plot(
            np.arange(len(found.dots)) + 0.5, found.dots[:, i], linestyle="none", marker="o", markersize=1.6,
            markeredgewidth=0, color=color, alpha=0.6,
        )  # fmt: skip
        ax.plot(found.lines[:, i], color=color, linewidth=1.3, label=name)
    last = len(found.lines) - 1
    if found.derived is not None:
        ax.plot(
            [last * 1.02], [found.lines[-1, found.derived]], marker="<", markersize=6, clip_on=False,
            color=COLOURS[found.derived],
        )  # fmt: skip
    ax.set(xlabel="step", ylabel="mixing weight", ylim=(-0.03, 1.03), xlim=(0, (last) * 1.02))
    ax.figure.legend(loc="outside right upper", frameon=False, fontsize="small", handlelength=1.2)


def draw_asked(ax: Any, found: Asked, reference: Seen) -> None:
    longest = max(found.epochs)
    best = [
        min(e for e, at in zip(found.errors[: n + 1], found.epochs, strict=False) if at == max(found.epochs[: n + 1]))
        for n in range(len(found.errors))
    ]
    sizes = [4 + 14 * at / longest for at in found.epochs]
    ax.scatter(range(len(found.errors)), found.errors, s=sizes, color=COLOURS[3], linewidth=0, alpha=0.7)
    ax.step(range(len(best)), best, where="post", color=COLOURS[1], linewidth=1.3)
    ax.set(xlabel="evaluation", ylabel="validation error, %")


def main(names: list[str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with use_one_thread():
        reference = seen(REFERENCE)
        assert isinstance(reference, Seen)
        for name in names or [n for n, entry in list_methods().items() if not entry.alias]:
            found = reference if name == REFERENCE else seen(name)
            save(draw(found, reference), FOLDER / f"{name}.png")


def save(page: Page, path: Path) -> None:
    """A small PNG: of 64 colours."""
    content = io.BytesIO()
    page.savefig(content, dpi=DPI)
    Image.open(content).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
