"""What every figure is: numbers first, then a picture of them. A figure is one file with one class."""

from __future__ import annotations

import textwrap
from abc import abstractmethod
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from harness.core.registry import Plugin, Registry
from harness.plots.choose import choose_look
from harness.plots.content import Content
from harness.plots.look import FigureLook
from harness.plots.style import WIDTH_INCHES, Page, escape_mathtext, use_theme
from harness.results.runs import Runs

FIGURES = Registry("figures", "harness.plots")

EM_POINTS, KEY_POINTS, LEGEND_INCHES = 4.0, 44, 0.15
"""Mean width of a letter of a legend, and of a line before a label; height of a row of it."""
TITLE_EM_POINTS = 4.7
"""Mean width of a letter of the title."""
NO_TITLE = "none"
"""What a person calls that there is none."""
SETTLING = 3
"""Layouts that panels of a fixed shape take to find their places."""
STACKED_RATIO = 0.6
"""Height by width of panels that stand above each other."""


class Picture(Plugin):
    """How numbers become a picture: panels in rows, at a width of the page."""

    row_height: ClassVar[float] = 2.4
    """Inches of a row of panels."""
    per_row: ClassVar[int] = 4
    narrowest: ClassVar[float] = 1.45
    """The least width of a panel in inches: a narrow figure has more rows."""
    legend: ClassVar[bool] = False
    """Whether the methods are named below the panels."""
    share_y: ClassVar[bool] = False
    projection: ClassVar[str | None] = None

    width: float = Field(WIDTH_INCHES, gt=0)
    """Of the whole figure, in inches (height: of as many rows of panels as there are, where left out)."""
    height: float | None = Field(None, gt=0)
    """Of the whole figure, in inches (height: of as many rows of panels as there are, where left out)."""
    title: str | None = None
    """Another one than its own; "" or "none" is none."""

    @field_validator("title")
    @classmethod
    def _none(cls, title: str | None) -> str | None:
        return "" if title == NO_TITLE else title

    @abstractmethod
    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        """Draw one panel, which has its name as a title already."""

    def finish(self, content: Content, page: Any, axes: list[Any]) -> None:
        """Add what belongs to the whole figure; axes: of the panels. A legend, where the figure has one."""
        if self.legend:
            every = [pair for ax in axes for pair in zip(*ax.get_legend_handles_labels(), strict=True)]
            named = {label: handle for handle, label in reversed(every)}
            labels = list(dict.fromkeys(label for _, label in every))
            if labels:
                self.add_legend(page, [named[label] for label in labels], labels)

    def add_legend(self, page: Any, handles: list[Any], labels: list[str]) -> None:
        """A legend below the panels, in as many columns as fit."""

        def points(columns: int) -> float:
            return sum(EM_POINTS * max(map(len, part)) + KEY_POINTS for part in np.array_split(labels, columns))

        fitting = [n for n in range(1, len(labels) + 1) if points(n) <= 72 * self.width]
        rows = -(-len(labels) // max(fitting, default=1))
        if self.height is None:
            page.set_figheight(page.get_figheight() + LEGEND_INCHES * (rows - 1))
        page.legend(
            handles, labels, loc="outside lower center", ncols=-(-len(labels) // rows), frameon=False,
            fontsize="small", columnspacing=1.2,
        )  # fmt: skip

    def least_width(self, content: Content) -> float:
        """Inches that a panel needs."""
        return self.narrowest

    def panel_height(self, content: Content, width: float) -> float:
        """Inches of a row of panels, each `width` inches wide: lower where several stand above each other, each as wide
        as the page, as in one column of a paper."""
        stacked = len(content.panels) > 1 and width == self.width
        return min(self.row_height, STACKED_RATIO * width) if stacked else self.row_height

    def render(self, content: Content) -> Page:
        """The picture, as a matplotlib figure."""
        panels: tuple[str | None, ...] = content.panels or (None,)
        columns = max(1, min(self.per_row, len(panels), int(self.width / self.least_width(content))))
        rows, width = -(-len(panels) // columns), self.width / columns
        with use_theme():
            height = self.height or rows * self.panel_height(content, width)
            page = Page(figsize=(self.width, height), layout="constrained")
            kind = {"projection": self.projection}
            grid = page.subplots(rows, columns, squeeze=False, sharey=self.share_y, subplot_kw=kind)
            axes = list(grid.flat)
            for panel, ax in zip(panels, axes, strict=False):
                if panel is not None:
                    ax.set_title(content.look.label(panel), fontsize="medium")
                self.draw(content, ax, panel)
                # after it, as a figure may have a title of its own for each panel
                ax.title.set_text("\n".join(wrap_title(line, width) for line in ax.get_title().splitlines()))
            for ax in axes[len(panels) :]:
                ax.set_axis_off()
            self.finish(content, page, axes[: len(panels)])
            title = escape_mathtext(content.title) if self.title is None else self.title
            page.suptitle(wrap_title(title, self.width), fontsize="medium")
            if any(ax.get_aspect() != "auto" or ax.get_box_aspect() is not None for ax in axes):
                for _ in range(SETTLING):  # or what is written first would be cut off
                    page.draw_without_rendering()
        return page


def wrap_title(text: str, inches: float) -> str:
    """A title in as many lines as it needs, none of which ends within "n = 10"."""
    whole = text.replace(" = ", "\0=\0")
    return textwrap.fill(whole, max(8, int(inches * 72 / TITLE_EM_POINTS)), break_long_words=False).replace("\0", " ")


class Figure(Picture):
    """A figure of finished runs."""

    needs: ClassVar[str] = "finished runs"
    """What the runs must have for it, for listings."""
    see: ClassVar[str] = ""
    """What there is to see in it: a caption, for the report and the documentation."""

    @abstractmethod
    def data(self, runs: Runs) -> Content:
        """The figure's numbers, or a HarnessError that says why there are none."""

    def content(self, runs: Runs, look: FigureLook | None = None) -> Content:
        """The numbers, with the look of the methods; that of these runs, where left out."""
        return replace(self.data(runs), look=look or choose_look(runs))
