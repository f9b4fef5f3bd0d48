"""How a study wants its figures to look: its section [figures]. No row, and no run's identity, depends on it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.core.settings import Settings


class Appearance(Settings):
    """What every figure of a study has in common.

    labels: method -> what figures call it. order: methods in the order of drawing, others after them. colours: method
    -> any color of matplotlib's. own: methods that are to stand out (where left out: those with a part that is not of
    this package). limits: the ends of an axis by what it shows: epoch, seconds, error, eigenvalue. width: of a figure
    in inches. options: figure -> {field = value}, as `harness list figures` shows them.
    """

    labels: dict[str, str] = Field({})
    order: tuple[str, ...] = ()
    colours: dict[str, str] = Field({})
    own: tuple[str, ...] | None = None
    limits: dict[str, tuple[float, float]] = Field({})
    width: float | None = Field(None, gt=0)
    options: dict[str, dict[str, Any]] = Field({})

    def of(self, figure: str) -> dict[str, Any]:
        """The fields of a figure."""
        width = {} if self.width is None else {"width": self.width}
        return width | self.options.get(figure, {})
