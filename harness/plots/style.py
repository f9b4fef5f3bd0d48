"""One look for every figure: a fixed colour, dash and marker a method, colour-blind-safe, at publication width."""

from __future__ import annotations

from typing import Any, NamedTuple

WIDTH_INCHES = 6.75
"""Two columns of a conference page."""


class Line(NamedTuple):
    colour: Any
    dash: Any
    marker: str


KNOWN = ("darts", "sdarts-rs", "sdarts-adv", "darts-2nd", "random-search", "beta-darts")
DASHES = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1.5, 1.5)), (0, (3, 2)), (0, (1, 2)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")


def lines(methods: list[str]) -> dict[str, Line]:
    """The line of each method: known methods always look the same, others take the places after them."""
    import seaborn as sns

    palette = sns.color_palette("colorblind")
    order = [*KNOWN, *(m for m in methods if m not in KNOWN)]
    places = {m: order.index(m) for m in methods}
    return {
        m: Line(palette[i % len(palette)], DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)])
        for m, i in places.items()
    }


def figure(columns: int, height: float, *, rows: int = 1, projection: str | None = None) -> tuple[Any, Any]:
    """A figure of `rows` x `columns` panels at publication width. Returns (figure, axes)."""
    import seaborn as sns
    from matplotlib.figure import Figure

    theme = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "svg.hashsalt": "harness",  # the same figure gives the same file
        "svg.fonttype": "none",
    }
    sns.set_theme(context="paper", style="ticks", rc=theme)
    # not through pyplot: no window system is asked for, and nothing stays open
    fig = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
    return fig, fig.subplots(rows, columns, squeeze=False, subplot_kw={"projection": projection})
