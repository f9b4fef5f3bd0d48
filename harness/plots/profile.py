"""Performance profile: the share of runs that end at or below an error."""

from __future__ import annotations

from typing import Any, ClassVar

from harness.plots.base import Figure
from harness.plots.content import Content
from harness.plots.seeds import list_references
from harness.plots.style import shift_line
from harness.results.runs import Runs
from harness.stats.effects import compute_performance_profile


class Profile(Figure):
    """The share of runs that end at or below an error (Dolan & More 2002; as rliable draws them)."""

    name = "profile"
    see: ClassVar[str] = (
        "The higher a line, the more of a method's runs end at that value or below. A line above "
        "another everywhere is better in every respect; lines that cross differ in luck and risk."
    )
    row_height: ClassVar[float] = 2.6
    legend: ClassVar[bool] = True

    def data(self, runs: Runs) -> Content:
        """method, error_pct (of each run, ascending), share of the method's runs at or below it."""
        import pandas as pd

        parts = []
        for name, ended in runs.endpoints().runs.groupby("method", sort=False):
            errors = ended["final_error_pct"].sort_values().to_numpy()
            parts.append(
                pd.DataFrame(
                    {"method": name, "error_pct": errors, "share": compute_performance_profile(errors, errors)}
                )
            )
        rows = pd.concat(parts, ignore_index=True)
        scale, known = runs.endpoints().scale, list_references(runs.endpoints())
        article = "an" if scale.error[0] in "aeiou" else "a"
        title = f"share of runs that end at or below {article} {scale.error} (equal lines are drawn beside each other)"
        return Content(rows, title, reference=known, value=scale.axis)

    def draw(self, content: Content, ax: Any, panel: str | None) -> None:
        import seaborn as sns

        found = content.by_method()
        errors = content.rows["error_pct"]
        ends = [min([errors.min(), *content.reference.values()]), errors.max()]
        for place, (name, part) in enumerate(found):
            line = content.look[name]
            sns.ecdfplot(
                x=part["error_pct"], ax=ax, color=line.color, linestyle=line.dash, linewidth=line.width,
                label=content.look.label(name), transform=shift_line(ax, place, len(found)),
            )  # fmt: skip
        for (label, level), dash in zip(content.reference.items(), ("-", ":"), strict=False):
            ax.axvline(level, color="0.2", linestyle=dash, linewidth=0.9, label=f"{label}: {level:.2f}", zorder=0.5)
        room = 0.03 * (ends[1] - ends[0] or 1)
        ax.set(xlabel=content.value, ylabel="share of runs", xlim=(ends[0] - room, ends[1] + room), ylim=(-0.05, 1.05))
        content.look.limit(ax, x="error")
