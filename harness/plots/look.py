"""How methods look, the same in every figure of a study: by their order, not by their names."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from harness.core.errors import HarnessError, suggest_names
from harness.plots.style import COLOURS, DASHES, LOUD, MARKERS, QUIET, LineStyle, escape_mathtext
from harness.runs.appearance import Appearance


@dataclass(frozen=True)
class FigureLook:
    """lines: by method. labels: what a legend calls it, where that is another name. limits: of axes, by what they
    show."""

    lines: dict[str, LineStyle] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    limits: dict[str, tuple[float, float]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        methods: Sequence[str],
        baseline: str | None = None,
        own: Iterable[str] = (),
        appearance: Appearance | None = None,
    ) -> FigureLook:
        """The baseline (where it is not said, the first of several) is gray, own methods are strong, others between."""
        chosen = appearance or Appearance()
        own = set(own) if chosen.own is None else set(chosen.own)
        if baseline is None and len(methods) > 1 and methods[0] not in own:
            baseline = methods[0]
        check_colours(chosen.colours)
        strong = [LOUD, *COLOURS] if own else [*COLOURS, LOUD]
        # own methods are asked first, so that the first of them has the strongest color whatever its place
        ranked = sorted((m for m in methods if m != baseline), key=lambda m: m not in own)
        colours = {m: strong[i % len(strong)] for i, m in enumerate(ranked)} | {baseline: QUIET} | chosen.colours
        lines = {
            m: LineStyle(colours[m], DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)], 2.2 if m in own else 1.4)
            for i, m in enumerate(methods)
        }
        return cls(lines, dict(chosen.labels), dict(chosen.limits))

    def __getitem__(self, method: str) -> LineStyle:
        return self.lines.get(method, LineStyle(COLOURS[0], DASHES[0], MARKERS[0]))

    def label(self, method: str) -> str:
        """What a figure calls a method: its name letter by letter, or what the study wants, which may hold math."""
        told = self.labels[method] if method in self.labels else escape_mathtext(method)
        return f" {told}" if told.startswith("_") else told  # or a legend would leave it out

    def limit(self, ax: Any, **shown: str) -> None:
        """Hold axes to the limits that the study gives, such as `limit(ax, x="epoch", y="error")`."""
        for axis, what in shown.items():
            if what in self.limits:
                ax.set(**{f"{axis}lim": self.limits[what]})


def check_colours(colours: Mapping[str, str]) -> None:
    """Raise an error that names the first that is none."""
    from matplotlib.colors import get_named_colors_mapping, is_color_like

    for method, color in colours.items():
        if not is_color_like(color):
            close = get_close_matches(color, get_named_colors_mapping(), n=2)
            hint = (
                "did you mean " + " or ".join(map(repr, close)) + "?" if close else "write a name, or one as '#D55E00'"
            )
            raise HarnessError(f"figures.colours.{method} = {color!r} is no color of matplotlib's: {hint}")


def describe_unknown_names(appearance: Appearance, methods: Collection[str]) -> list[str]:
    """A sentence on every name in the section that none of these methods has: it was meant for one."""
    own = appearance.own or ()
    named = {"labels": appearance.labels, "colours": appearance.colours, "order": appearance.order, "own": own}
    return [
        f"figures.{field} names {name!r}, which is no method of these runs: {suggest_names(name, methods)}"
        for field, names in named.items()
        for name in names
        if name not in methods
    ]


def find_own_methods(manifests: Iterable[dict[str, Any]]) -> set[str]:
    """The methods of these runs that have a part (a searcher or regularizer) of another package than this one."""
    from harness.search.regularizers.base import REGULARIZERS
    from harness.search.searchers.base import SEARCHERS

    known = REGULARIZERS.classes | SEARCHERS.classes
    foreign = {name for name, part in known.items() if part.__module__.partition(".")[0] != __name__.partition(".")[0]}
    return {m["method_name"] for m in manifests if foreign & set(m["configuration"]["method"])}
