"""All figures of a study, or some of them by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from harness.core.errors import HarnessError
from harness.plots.base import FIGURES, Figure
from harness.plots.content import Content, save
from harness.plots.look import FigureLook
from harness.results.runs import Runs


class Made(NamedTuple):
    """A figure with the numbers that it has."""

    figure: Figure
    content: Content


def make(
    runs: Runs,
    names: Iterable[str] | None = None,
    options: Mapping[str, Mapping[str, Any]] | None = None,
    look: FigureLook | None = None,
) -> tuple[dict[str, Made], dict[str, str]]:
    """What figures would draw, and why others cannot be drawn.

    Args:
        names: which figures; all of them, if not said.
        options: fields by figure.
        look: of the methods; that of these runs, if not said.
    """
    made: dict[str, Made] = {}
    missing: dict[str, str] = {}
    for name in FIGURES.classes if names is None else names:
        figure: Figure = FIGURES.build(name, dict((options or {}).get(name, {})))
        try:
            made[name] = Made(figure, figure.content(runs, look))
        except HarnessError as error:
            missing[name] = str(error)
    return made, missing


def save_all(made: Mapping[str, Made], folder: Path) -> list[Path]:
    """Write figures; returns the paths."""
    return [
        path for name, (figure, content) in made.items() for path in save(figure.render(content), content, folder, name)
    ]
