"""Whether the eigenvalue foretells a collapse: where the rule of early stopping fires, beside where collapse begins."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError
from harness.core.text import list_records
from harness.measures.early_stopping import find_early_stop
from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.dose import describe_many_skips
from harness.plots.style import COLOURS, QUIET
from harness.results.doses import EIGENVALUE, choose_never, count_skips, tabulate_ends
from harness.results.runs import Runs

EVERY = 2
"""Epochs between the rule's measurements."""
FIRED, RETURNED = "the rule fires", "skips of the cell that it returns"
APART = 3
"""Epochs by which `never` lies beyond the last one."""


class Stopping(Figure):
    """Where the rule of RobustDARTS (Zela et al., ICLR 2020, 1909.09656: the local average of the largest eigenvalue is
    1.3 times that of eight epochs before) would stop searches that went on, and what it would have returned."""

    name = "stopping"
    needs: ClassVar[str] = "[probes.spectrum] every second epoch"
    see: ClassVar[str] = (
        "Left: below the line the rule fires before the last cell's many skips have come to stay, at never on the x "
        "axis it fires although they do not come. Right: below the line the returned cell has fewer skips."
    )
    row_height: ClassVar[float] = 2.8
    narrowest: ClassVar[float] = 2.6

    def data(self, runs: Runs) -> Content:
        """panel, method, seed, x, value: the epoch from which the last cell's first kind has as many skips as the study
        declares, and the one at which the rule fires (one epoch after the last: never); of runs that it stops, the
        skips of the last cell, and of the returned one."""
        import pandas as pd

        epochs = runs.epochs.sort_values(["method", "seed", "epoch"])
        if EIGENVALUE not in epochs or epochs[EIGENVALUE].isna().all():
            raise HarnessError(
                "no eigenvalues of these runs were measured: add [probes.spectrum] with every = 2 to their study and "
                "run it"
            )
        _, many = count_skips(runs)
        known = list_records(tabulate_ends(runs, runs.declared.skips))
        ends: dict[Any, Any] = {(end["method"], end["seed"]): end for end in known}
        never = choose_never(runs)
        rows = []
        for (method, seed), run in epochs.groupby(["method", "seed"], sort=False):
            measured = run.dropna(subset=EIGENVALUE)
            if measured.empty:
                continue
            first = int(measured["epoch"].iloc[0])
            asked = measured[(measured["epoch"] - first) % EVERY == 0]
            if (asked["epoch"].diff().dropna() != EVERY).any():
                raise HarnessError(
                    f"{method}, seed {seed}: the rule looks at the eigenvalue every second epoch, and it was not "
                    "measured then: [probes.spectrum] with every = 2"
                )
            stop = find_early_stop([int(e) - first for e in asked["epoch"]], asked[EIGENVALUE].tolist())
            place, end = {"method": method, "seed": seed}, ends[method, seed]
            fires = never if stop is None else float(stop.triggered + first)
            rows.append({**place, "panel": FIRED, "x": end["onset"], "value": fires})
            if stop is not None:
                back = many[asked.set_index("epoch")["architecture"][stop.returned + first]]
                rows.append({**place, "panel": RETURNED, "x": float(end["skips"]), "value": float(back)})
        found = pd.DataFrame(rows)
        panels = tuple(p for p in (FIRED, RETURNED) if p in set(found["panel"]))
        title = describe_counts(found[found["panel"] == FIRED], never)
        columns = ["panel", "method", "seed", "x", "value"]
        return Content(found[columns], title, panels, {"never": never}, value=describe_many_skips(runs))

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        part = content.of(panel).sort_values(["x", "value"])
        never = content.reference["never"]
        x, y = part["x"].to_numpy(), part["value"].to_numpy()
        if panel == FIRED:
            x, y = (np.where(v >= never, never + APART, v) for v in (x, y))
            edge = never + 2 * APART
            ax.set(xlabel=content.value, ylabel="the rule fires at epoch", xlim=(-2, edge), ylim=(-2, edge))
            ticks = [*range(0, int(never), 10), never + APART]
            names = [*(str(t) for t in ticks[:-1]), "never"]
            ax.set_xticks(ticks, names, fontsize="x-small")
            ax.set_yticks(ticks, names, fontsize="x-small")
        else:
            edge = max(x.max(), y.max()) + 1
            ax.set(
                xlabel="skips of the last cell", ylabel="skips of the returned cell", xlim=(-1, edge), ylim=(-1, edge)
            )
        ax.plot([-2, edge], [-2, edge], color=QUIET, linewidth=0.7, linestyle=":")
        places, counts = np.unique(np.stack([x, y], axis=1), axis=0, return_counts=True)
        ax.scatter(*places.T, s=14 * counts, color=COLOURS[0], alpha=0.6, linewidths=0)  # area: how many runs


def describe_counts(rows: Any, never: float) -> str:
    """How often the rule fires in time, late, for nothing, and not at all."""
    collapses, fires = rows["x"] < never, rows["value"] < never
    before = collapses & fires & (rows["value"] < rows["x"])
    ahead = (rows["x"] - rows["value"])[collapses & fires]
    told = (
        f"of {collapses.sum()} searches that end with many skips the rule stops {(collapses & fires).sum()}, "
        f"{before.sum()} of them before"
    )
    if len(ahead):
        told += f" (median {abs(ahead.median()):g} epochs {'before' if ahead.median() > 0 else 'after'})"
    return f"{told}; of {(~collapses).sum()} others it stops {(~collapses & fires).sum()}"
