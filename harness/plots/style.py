"""One theme for every figure: color-blind-safe, at the width of a page, with fonts that a publisher takes.

The user's own settings of matplotlib stay as they are: a figure is made, drawn and written inside of `use_theme`.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from matplotlib import rc_context
from matplotlib.figure import Figure as Canvas
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation, Transform

WIDTH_INCHES = 6.75
"""Two columns of a conference page; one has 3.25."""
QUIET = "0.45"
"""Color of a baseline."""
LOUD = "#D55E00"
"""Color of a user's own method."""
COLOURS = ("#0173B2", "#029E73", "#CC78BC", "#DE8F05", "#56B4E9", "#7A4E2D")
"""Of the others, in turn: seaborn's color-blind palette without its pale ones."""
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1.5, 1.5)), (0, (3, 2)), (0, (1, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


class LineStyle(NamedTuple):
    """How a method is drawn."""

    color: Any
    dash: Any
    marker: str
    width: float = 1.4


def use_theme() -> AbstractContextManager[None]:
    """matplotlib's settings inside of the context."""
    import seaborn as sns

    own = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "harness",  # the same figure gives the same file
        "svg.fonttype": "none",
        "pdf.fonttype": 42,  # camera-ready checks refuse Type 3
        "ps.fonttype": 42,
        "figure.constrained_layout.h_pad": 0.03,
        "figure.constrained_layout.w_pad": 0.03,
    }
    context: AbstractContextManager[None] = rc_context(
        sns.axes_style("ticks") | sns.plotting_context("paper", font_scale=0.83) | own
    )
    return context


class Page(Canvas):
    """A figure that is drawn in the theme whenever it is drawn. Not of pyplot: no window system is asked for."""

    def draw(self, renderer: Any) -> None:
        for text in self.findobj(Text):
            if "$" in text.get_text() and not is_math(text.get_text()):
                text.set_parse_math(False)  # an amount of money, or half a formula: drawn as it stands
        with use_theme():
            super().draw(renderer)

    def savefig(self, *args: Any, **options: Any) -> None:
        with use_theme():
            super().savefig(*args, **options)


def escape_mathtext(name: str) -> str:
    """A name as matplotlib draws it letter by letter, whatever stands between dollar signs."""
    return name.replace("$", r"\$")


def is_math(text: str) -> bool:
    """Whether matplotlib can read what stands between the dollar signs of a text."""
    from matplotlib.mathtext import MathTextParser

    try:
        MathTextParser("agg").parse(text)
    except ValueError:
        return False
    return True


def shift_line(ax: Any, place: int, count: int, points: float = 1.6) -> Transform:
    """Data coordinates, moved up or down by some points, so that `count` lines with the same values lie side by side.
    place: which of them."""
    up = (place - (count - 1) / 2) * points / 72
    moved: Transform = ax.transData + ScaledTranslation(0, up, ax.figure.dpi_scale_trans)
    return moved


def is_first_column(ax: Any) -> bool:
    """Whether the panel stands at the left."""
    return bool(ax.get_subplotspec().is_first_col())
