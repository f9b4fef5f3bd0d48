"""The one-shot network's ranking against the table's."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.core.errors import HarnessError
from harness.measures.ranking import rank_agreement
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.style import is_first_column
from harness.results.runs import Runs


class RankingFigure(Figure):
    """Accuracy of sampled architectures by the shared weights and by the table, at the last epoch."""

    name = "ranking"
    needs: ClassVar[str] = "[probes.ranking]"
    see: ClassVar[str] = (
        "Each point is an architecture. The closer to a rising line, the better the one-shot network knows what "
        "is good; a cloud says that what is derived is decided by something else."
    )
    row_height: ClassVar[float] = 1.9
    share_y: ClassVar[bool] = True

    def data(self, runs: Runs) -> Content:
        """panel (a method), seed, supernet_accuracy_pct, table_accuracy_pct of the sampled architectures, at the last
        epoch."""
        import pandas as pd

        epochs = runs.epochs
        if "ranking_supernet" not in epochs:
            raise HarnessError("no rankings were measured: add [probes.ranking] to the study and run it")
        rows = []
        measured = epochs[epochs["ranking_supernet"].notna()].sort_values("epoch", kind="stable")
        for (method, seed), part in measured.groupby(["method", "seed"], sort=False):
            pairs = zip(part["ranking_supernet"].iloc[-1], part["ranking_table"].iloc[-1], strict=True)
            rows += [
                {"panel": method, "seed": seed, "supernet_accuracy_pct": a, "table_accuracy_pct": b} for a, b in pairs
            ]
        frame = pd.DataFrame(rows)
        title = "accuracy of architectures by the shared weights and by the table, last epoch; mean Kendall correlation"
        return Content(frame, title, panels=tuple(frame["panel"].unique()))

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        part, line = content.of(panel), content.look[str(panel)]
        x, y = "supernet_accuracy_pct", "table_accuracy_pct"
        ax.plot(part[x], part[y], ".", color=line.color, markersize=3, alpha=0.5, markeredgewidth=0, rasterized=True)
        each = [rank_agreement(p[x], p[y])["kendall"] for _, p in part.groupby("seed")]
        ax.set_title(f"{content.look.label(str(panel))}\n$\\tau$ = {sum(each) / len(each):+.2f}", fontsize="medium")
        ax.set_xlabel("shared weights (%)")
        ax.set_xlim(-2, content.rows[x].max() * 1.03 + 2)
        if is_first_column(ax):
            ax.set_ylabel("table (%)")
