"""Critical-difference diagram over seeds."""

from __future__ import annotations

from typing import Any

from harness.core.errors import HarnessError
from harness.plots.content import Content
from harness.results.endpoints import Endpoints
from harness.stats.ranks import mean_ranks


def data(found: Endpoints) -> Content:
    """method, mean_rank (1: the lowest error), over the seeds as blocks that all methods share."""
    import pandas as pd

    methods = list(found.runs["method"].unique())
    if any(found.seeds(m) != found.seeds(methods[0]) for m in methods):
        raise HarnessError("mean ranks over seeds need the same finished seeds of every method")
    costs = [found.values(m, "final") for m in methods]
    ranks = mean_ranks(list(zip(*costs, strict=True)))
    rows = pd.DataFrame({"method": methods, "mean_rank": ranks.ranks}).sort_values("mean_rank", ignore_index=True)
    title = f"mean rank over {len(costs[0])} seeds; Friedman p = {ranks.p:.2g}; bars: not told apart (Nemenyi, 5 %)"
    return Content(rows, title, reference={"critical difference": ranks.critical_difference})


def cliques(ranks: list[float], critical: float) -> list[tuple[int, int]]:
    """Largest stretches, of ascending mean ranks, whose ends are closer than the critical difference."""
    found: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = max(i for i in range(first, len(ranks)) if ranks[i] - ranks[first] <= critical)
        if last > first and not any(a <= first and last <= b for a, b in found):
            found.append((first, last))
    return found


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    ranks = content.rows["mean_rank"].tolist()
    critical = content.reference["critical difference"]
    ax.set_xlim(0.7, len(ranks) + 0.3)
    groups = cliques(ranks, critical)
    ax.set_ylim(-0.6 - 0.9 * len(ranks), 2.2)
    for place, (name, rank) in enumerate(zip(content.rows["method"], ranks, strict=True)):
        level = -0.6 - 0.9 * place
        ax.plot([rank, rank], [0, level], color="0.3", linewidth=0.8)
        left = place < len(ranks) / 2
        ax.text(
            rank + (-0.04 if left else 0.04), level, f"{name}  {rank:.2f}", ha="right" if left else "left", va="center"
        )
    for place, (first, last) in enumerate(groups):
        level = -0.15 - 0.25 * place
        ax.plot([ranks[first] - 0.03, ranks[last] + 0.03], [level, level], color="0.1", linewidth=3)
    ax.plot([1, 1 + critical], [1.5, 1.5], color="0.1", linewidth=1.5)
    ax.text(1 + critical / 2, 1.6, f"critical difference {critical:.2f}", ha="center", va="bottom", fontsize="small")
    ax.xaxis.tick_top()
    ax.spines[["left", "bottom"]].set_visible(False)
    ax.spines["top"].set_visible(True)
    ax.spines["top"].set_position(("data", 0.0))
    ax.set_yticks([])
