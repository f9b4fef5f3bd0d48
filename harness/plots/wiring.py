"""Drawing a cell: its nodes on a line from input to output, its edges as arcs that do not cross where they need not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from harness.spaces.base import Architecture, Space

Role = Literal["zero", "skip", "free", "weights", "none"]
COLOURS: dict[str, str] = {
    "zero": "0.75", "skip": "#B86F00", "free": "#A1489A", "weights": "#0173B2", "none": "0.35"
}  # fmt: skip
RISE = 0.3
"""Height of an arc over a distance of 1, which is that of neighboring nodes."""
MARGIN, ROOM = 0.45, 0.22
"""Beside the outer nodes, and above and below the arcs."""


class Edge(NamedTuple):
    """An edge of a cell, or (source = target) the operation of a node. told: the operation's short name."""

    source: int
    target: int
    operation: str
    told: str
    role: Role


def list_cell_edges(space: Space, architecture: Architecture) -> list[Edge]:
    """The cell of an architecture, with what the space declares about its operations."""
    return [
        Edge(source, target, name, space.short.get(name, name), find_edge_role(space, name))
        for source, target, name in space.graph(architecture)
    ]


def find_edge_role(space: Space, operation: str) -> Role:
    """What an operation is to a figure."""
    if not operation:
        return "none"
    if operation == space.zero:
        return "zero"
    if operation == space.skip:
        return "skip"
    return "free" if operation in space.parameter_free else "weights"


def find_connected_parts(edges: Sequence[Edge]) -> list[list[int]]:
    """The nodes of each connected part (a space of several cells draws each as one), ascending."""
    part: dict[int, set[int]] = {}
    for edge in edges:
        joined = part.get(edge.source, {edge.source}) | part.get(edge.target, {edge.target})
        part |= dict.fromkeys(joined, joined)
    return [sorted(p) for p in {id(p): p for _, p in sorted(part.items())}.values()]


def choose_sides(edges: Sequence[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """1 (above) or -1 (below) for each arc, the short ones first, so that few on one side cross."""
    placed: dict[tuple[int, int], int] = {}
    for a, b in sorted(edges, key=lambda e: (e[1] - e[0], e)):
        crossings = {
            side: sum(c < a < d < b or a < c < b < d for (c, d), s in placed.items() if s == side) for side in (1, -1)
        }
        placed[a, b] = 1 if crossings[1] <= crossings[-1] else -1
    return placed


class Layout(NamedTuple):
    """at: (x, y) of each node. side: of each arc. low, high, right: the ends of the drawing; left is -MARGIN."""

    at: dict[int, tuple[float, float]]
    side: dict[tuple[int, int], int]
    low: float
    high: float
    right: float

    @property
    def ratio(self) -> float:
        """Height over width."""
        return (self.high - self.low) / (self.right + MARGIN)


def lay_out_cell(edges: Sequence[Edge]) -> Layout:
    """Where everything stands, in units of the distance between neighboring nodes."""
    at: dict[int, tuple[float, float]] = {}
    side: dict[tuple[int, int], int] = {}
    low, high, right = 0.0, 0.0, 0.0
    for i, nodes in enumerate(find_connected_parts(edges)):
        order = {node: x for x, node in enumerate(nodes)}
        arcs = {(e.source, e.target): order[e.target] - order[e.source] for e in edges if e.source in order}
        arcs = {arc: gap for arc, gap in arcs.items() if gap > 1}
        placed = choose_sides(list(arcs))
        up, down = (max([RISE * g for a, g in arcs.items() if placed[a] == s], default=0) for s in (1, -1))
        level = low - up - ROOM if i else 0.0
        at |= {node: (float(x), level) for node, x in order.items()}
        side |= placed
        low, high, right = level - down - ROOM, max(high, level + up + ROOM), max(right, len(nodes) - 1 + MARGIN)
    return Layout(at, side, low, high, right)


def draw_cell(edges: Sequence[Edge], ax: Any, size: float = 5.5) -> None:
    """Draw a cell on empty axes. size: of the letters, in points."""
    place = lay_out_cell(edges)
    own = {e.source: e for e in edges if e.source == e.target}
    radius = 1.9 * size if own else 1.25 * size
    for edge in edges:
        if edge.source != edge.target:
            _draw_edge(edge, place, ax, radius, size)
    sources, targets = ({e[i] for e in edges if e.source != e.target} for i in (0, 1))
    for node, (x, y) in place.at.items():
        color = COLOURS[own[node].role] if node in own else "0.3"
        ax.plot(
            [x], [y], marker="o", markersize=2 * radius, color="white", markeredgecolor=color, zorder=3, clip_on=False
        )
        first = min(n for n, (_, level) in place.at.items() if level == y)
        name = "in" if node not in targets else "out" if node not in sources else str(node - first)
        told = own[node].told.replace(" ", "\n") if node in own else name
        ax.text(x, y, told, ha="center", va="center", fontsize=size, color=color, zorder=4, linespacing=0.9)
    ax.set(aspect="equal", xlim=(-MARGIN, place.right), ylim=(place.low, place.high))
    ax.set_axis_off()


def _draw_edge(edge: Edge, place: Layout, ax: Any, radius: float, size: float) -> None:
    (x, y), (right, _) = place.at[edge.source], place.at[edge.target]
    side = place.side.get((edge.source, edge.target), 0)
    color = COLOURS[edge.role]
    arrow = {
        "arrowstyle": "-|>,head_length=0.35,head_width=0.14", "color": color, "shrinkA": radius, "shrinkB": radius,
        "connectionstyle": f"arc3,rad={-2 * RISE * side}", "linewidth": 1.1 if edge.operation else 0.7,
        "linestyle": ":" if edge.role == "zero" else "-",
    }  # fmt: skip
    ax.annotate("", (right, y), (x, y), arrowprops=arrow, zorder=1)
    if edge.operation and edge.role != "zero":
        box = {"facecolor": "white", "edgecolor": "none", "pad": 0.3}
        middle, top = (x + right) / 2, y + side * RISE * (right - x)
        told = edge.told if side else edge.told.replace(" ", "\n")  # between neighbors there is little room
        ax.text(
            middle,
            top,
            told,
            fontsize=size,
            ha="center",
            va="center",
            color=color,
            bbox=box,
            zorder=2,
            linespacing=0.9,
        )
