"""Critical-difference diagram over seeds."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.core.errors import HarnessError
from harness.core.text import format_p
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.results.runs import Runs
from harness.stats.ranks import compute_mean_ranks


class Ranks(Figure):
    """Mean ranks over seeds, with the critical difference (Demsar 2006)."""

    name = "ranks"
    needs: ClassVar[str] = "three methods, the same seeds of each"
    see: ClassVar[str] = (
        "Methods joined by a bar are not told apart by so many seeds. Ranks say who wins, and not by how much."
    )
    row_height: ClassVar[float] = 2.0

    def data(self, runs: Runs) -> Content:
        """method, mean_rank (1: the lowest error), over the seeds as blocks that all methods share."""
        import pandas as pd

        found = runs.endpoints()
        methods = list(found.runs["method"].unique())
        if len({tuple(found.by_seed(m, "final")) for m in methods}) > 1:
            raise HarnessError("mean ranks over seeds need the same finished seeds of every method")
        costs = [found.values(m, "final") for m in methods]
        ranks = compute_mean_ranks(list(zip(*costs, strict=True)))
        rows = pd.DataFrame({"method": methods, "mean_rank": ranks.ranks}).sort_values("mean_rank", ignore_index=True)
        title = (
            f"mean rank over {len(costs[0])} seeds; Friedman {format_p(ranks.p)}; bars: not told apart (Nemenyi, 5 %)"
        )
        return Content(rows, title, reference={"critical difference": ranks.critical_difference})

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        ranks = content.rows["mean_rank"].tolist()
        critical = content.reference["critical difference"]
        count = len(ranks)
        groups = find_cliques(ranks, critical)
        left = 1 - 0.12 * count  # where names of the better half stand; of the others as far on the other side
        below = -0.5 - 0.35 * len(groups)
        for place, (name, rank) in enumerate(zip(content.rows["method"], ranks, strict=True)):
            better = place < (count + 1) // 2
            level = below - (place if better else count - 1 - place)
            side = left if better else count + 1 - left
            line = content.look[name]
            ax.plot([rank, rank, side], [0, level, level], color=line.color, linewidth=line.width)
            told = f"{content.look.label(name)}  {rank:.2f}"
            ax.annotate(
                told, (side, level), (-3 if better else 3, 0), textcoords="offset points", va="center",
                ha="right" if better else "left",
            )  # fmt: skip
        for place, (first, last) in enumerate(groups):
            level = -0.3 - 0.35 * place
            ax.plot([ranks[first] - 0.03, ranks[last] + 0.03], [level, level], color="0.1", linewidth=3)
        ax.plot([1, 1 + critical], [0.95, 0.95], color="0.1", linewidth=1.5, marker="|")
        ax.text(1 + critical / 2, 1.05, f"critical difference {critical:.2f}", ha="center", va="bottom")
        ax.plot([1, count], [0, 0], color="0.1", linewidth=0.8)
        for rank in range(1, count + 1):
            ax.plot([rank, rank], [0, 0.12], color="0.1", linewidth=0.8)
            ax.text(rank, 0.18, str(rank), ha="center", va="bottom")
        ax.set_ylim(below - (count + 1) // 2 + 0.4, 1.9)
        ax.set_axis_off()


def find_cliques(ranks: list[float], critical: float) -> list[tuple[int, int]]:
    """Largest stretches, of ascending mean ranks, whose ends are closer than the critical difference."""
    found: list[tuple[int, int]] = []
    for first in range(len(ranks)):
        last = max(i for i in range(first, len(ranks)) if ranks[i] - ranks[first] <= critical)
        if last > first and not any(a <= first and last <= b for a, b in found):
            found.append((first, last))
    return found
