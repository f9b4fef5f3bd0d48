"""Every figure of a comparison, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from harness.core.errors import HarnessError
from harness.plots import (
    alphas,
    cell,
    eigenvalue,
    landscape,
    onset,
    place,
    profile,
    ranking,
    ranks,
    seeds,
)
from harness.plots.content import Content, Draw, draw_all, save
from harness.results.endpoints import Endpoints, endpoints
from harness.results.frames import Results
from harness.runs.preregistration import Declared
from harness.spaces.base import Space


class Figure(NamedTuple):
    """data: the figure's numbers, or an error that says why there are none."""

    data: Callable[[Results, Endpoints], Content]
    draw: Draw
    options: dict[str, Any]


def space_of(results: Results) -> Space:
    if results.table is None:
        raise HarnessError("this figure needs the space of a table, and these runs have none")
    return results.table.space


FIGURES: dict[str, Figure] = {
    "seeds": Figure(lambda r, e: seeds.data(e), seeds.draw, {"height": 3.0}),
    "eigenvalue": Figure(lambda r, e: eigenvalue.data(r), eigenvalue.draw, {"height": 3.2, "legend": True}),
    "onset": Figure(lambda r, e: onset.data(e, int(r.epochs["epoch"].max())), onset.draw, {"legend": True}),
    "profile": Figure(lambda r, e: profile.data(e), profile.draw, {"height": 3.2, "legend": True}),
    "ranks": Figure(lambda r, e: ranks.data(e), ranks.draw, {"height": 2.2}),
    "place": Figure(lambda r, e: place.data(e, r.table), place.draw, {"height": 3.2, "legend": True}),
    "cell": Figure(lambda r, e: cell.data(e, space_of(r)), cell.draw, {"height": 2.2, "per_row": 2}),
    "alphas": Figure(lambda r, e: alphas.data(r, space_of(r)), alphas.draw, {"height": 3.2}),
    "ranking": Figure(lambda r, e: ranking.data(r), ranking.draw, {"height": 2.2}),
    "landscape": Figure(lambda r, e: landscape.data(r), landscape.draw, {"height": 2.2}),
    "surface": Figure(lambda r, e: landscape.data(r), landscape.draw_surface, {"height": 2.2, "projection": "3d"}),
}


def contents(results: Results, found: Endpoints) -> tuple[dict[str, Content], dict[str, str]]:
    """What every figure would draw, and why others cannot be drawn."""
    made: dict[str, Content] = {}
    missing: dict[str, str] = {}
    for name, figure in FIGURES.items():
        try:
            made[name] = figure.data(results, found)
        except HarnessError as error:
            missing[name] = str(error)
    return made, missing


def draw(name: str, content: Content) -> Any:
    """A figure, drawn."""
    return draw_all(content, FIGURES[name].draw, **FIGURES[name].options)


def save_all(results: Results, declared: Declared, folder: Path) -> tuple[list[Path], dict[str, str]]:
    """Write every figure that there are numbers for; returns the paths, and why others are missing."""
    made, missing = contents(results, endpoints(results, declared))
    paths = [path for name, content in made.items() for path in save(draw(name, content), content, folder, name)]
    return paths, missing
