"""How a study wants its figures to look: its section [figures]. No row, and no run's identity, depends on it."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from harness.core.settings import Settings


class Appearance(Settings):
    """What every figure of a study has in common."""

    labels: dict[str, str] = Field({})
    """Method -> what figures call it."""
    order: tuple[str, ...] = ()
    """Methods in the order of drawing, others after them."""
    colours: dict[str, str] = Field({})
    """Method -> any color of matplotlib's."""
    own: tuple[str, ...] | None = None
    """Methods that are to stand out (where left out: those with a part that is not of this package)."""
    limits: dict[str, tuple[float, float]] = Field({})
    """The ends of an axis by what it shows: epoch, seconds, error, eigenvalue."""
    width: float | None = Field(None, gt=0)
    """Of a figure in inches."""
    options: dict[str, dict[str, Any]] = Field({})
    """Figure -> {field = value}, as `harness list figures` shows them."""

    def of(self, figure: str) -> dict[str, Any]:
        """The fields of a figure."""
        width = {} if self.width is None else {"width": self.width}
        return width | self.options.get(figure, {})
