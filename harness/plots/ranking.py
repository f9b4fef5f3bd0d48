"""The one-shot network's ranking against the table's."""

from __future__ import annotations

from typing import Any

from harness.core.errors import HarnessError
from harness.measures.ranking import rank_agreement
from harness.plots.content import Content
from harness.plots.style import lines
from harness.results.frames import Results


def data(results: Results) -> Content:
    """panel (a method), seed, supernet_accuracy_pct, table_accuracy_pct of the sampled architectures, last epoch."""
    import pandas as pd

    if "ranking_supernet" not in results.epochs:
        raise HarnessError("no rankings were measured: add [probes.ranking] to the study and run it")
    rows = []
    measured = results.epochs[results.epochs["ranking_supernet"].notna()]
    for (method, seed), part in measured.sort_values("epoch").groupby(["method", "seed"], sort=False):
        last = part.iloc[-1]
        pairs = zip(last["ranking_supernet"], last["ranking_table"], strict=True)
        rows += [{"panel": method, "seed": seed, "supernet_accuracy_pct": a, "table_accuracy_pct": b} for a, b in pairs]
    frame = pd.DataFrame(rows)
    return Content(
        frame,
        "accuracy of architectures by the shared weights and by the table, last epoch",
        panels=tuple(frame["panel"].unique()),
    )


def draw(content: Content, ax: Any, panel: str | None = None) -> None:
    part = content.of(panel)
    line = lines([panel or ""])[panel or ""]
    ax.plot(part["supernet_accuracy_pct"], part["table_accuracy_pct"], ".", color=line.colour, markersize=3, alpha=0.5)
    each = [
        rank_agreement(p["supernet_accuracy_pct"], p["table_accuracy_pct"])["kendall"] for _, p in part.groupby("seed")
    ]
    ax.annotate(
        f"Kendall {sum(each) / len(each):+.2f}", (0.97, 0.04), xycoords="axes fraction", ha="right", fontsize="small"
    )
    ax.set_xlabel("shared weights (%)")
    if panel == content.panels[0]:
        ax.set_ylabel("table (%)")
