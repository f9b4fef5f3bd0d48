"""Building the report: verdicts first, then trajectories, figures, and how it all was made."""

from __future__ import annotations

import base64
import html
import io
import json
import sys
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any, get_args

from harness.core.errors import HarnessError
from harness.core.files import disk
from harness.core.text import records
from harness.core.version import __version__
from harness.plots.figures import contents, draw
from harness.report.payload import payload
from harness.results.endpoints import endpoints
from harness.results.load import Finished
from harness.runs.preregistration import Endpoint
from harness.verdicts.compare import Pair, compare, describe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def build(found: Finished, to: Path) -> Path:
    """Write the report of finished runs to one HTML file that needs nothing else. Returns its path."""
    ends = endpoints(found.results, found.declared)
    made, missing = contents(found.results, ends)
    cards, exploratory, verdicts = [], [], ""
    try:
        cards = compare(ends, found.declared)
        others = [e for e in get_args(Endpoint) if e != found.declared.primary]
        exploratory = [p.row() | {"endpoint": e} for e in others for p in compare(ends, found.declared, e)]
        verdicts = "".join(verdict(p) for p in cards)
    except HarnessError as error:
        verdicts = f"<li>{html.escape(str(error))}</li>"
    page = Template(text("page.html")).substitute(
        title=html.escape(found.name),
        summary=html.escape(summary(found)),
        style=text("page.css"),
        standing=html.escape(
            f"Endpoint: {found.declared.primary} error, {'; '.join([found.standing, *found.provenance])}."
        ),
        verdicts=verdicts,
        comparison=table([p.row() for p in cards]),
        exploratory=table(exploratory),
        results=table(describe(ends, found.declared)) + table(records(found.results.final())),
        figures="".join(figure(name, content.title, draw(name, content)) for name, content in made.items()),
        missing=table([{"figure": n, "not drawn because": r} for n, r in missing.items()]),
        commands=html.escape(commands(found)),
        manifest=manifests(found.manifests),
        citations="".join(f"<li>{html.escape(c)}</li>" for c in citations(found)),
        # no tag inside of the data may end it, or begin another
        data=json.dumps(payload(found.results), separators=(",", ":")).replace("<", "\\u003c"),
        script=text("page.js"),
    )
    with disk(to.parent):
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_text(page, encoding="utf-8")
    return to


def text(name: str) -> str:
    return (files("harness.report") / name).read_text(encoding="utf-8")


def summary(found: Finished) -> str:
    methods = list(found.results.epochs["method"].unique())
    runs, left_out = len(found.results), f"; {found.missing} runs are not finished" if found.missing else ""
    where = "without a table" if found.results.table is None else f"on table {found.results.table.name}"
    return f"{runs} runs of {len(methods)} methods {where}{left_out}. Made by nasbench-harness {__version__}."


def verdict(pair: Pair) -> str:
    kind = "shown" if pair.reachable and pair.p_holm <= pair.level else "none"
    return f'<li class="{kind}">{html.escape(pair.verdict)}.</li>'


def table(rows: Sequence[dict[str, Any]]) -> str:
    """An HTML table of these rows, numbers to the right; nothing where there are none."""
    if not rows:
        return ""

    kinds = [' class="number"' if isinstance(v, int | float) else "" for v in rows[0].values()]

    def cells(tag: str, values: Iterable[Any]) -> str:
        told = (html.escape("" if v is None else str(v)) for v in values)
        return "".join(f"<{tag}{kind}>{v}</{tag}>" for kind, v in zip(kinds, told, strict=True))

    head = cells("th", (key.replace("_", " ") for key in rows[0]))
    body = "".join(f"<tr>{cells('td', r.values())}</tr>" for r in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def figure(name: str, title: str, drawn: Any) -> str:
    """A figure as an image inside of the page."""
    stream = io.BytesIO()
    drawn.savefig(stream, format="svg", metadata={"Date": None})
    source = base64.b64encode(stream.getvalue()).decode()
    told = html.escape(title, quote=True)
    return (
        f'<figure id="figure-{name}"><img alt="{told}" src="data:image/svg+xml;base64,{source}">'
        f"<figcaption>{told}</figcaption></figure>"
    )


def commands(found: Finished) -> str:
    """What gives these runs and this page again."""
    lines = [] if found.source.is_dir() else [f"harness run {found.source}"]
    lines += [f"harness {verb} {found.source}" for verb in ("compare", "plot --all", "report")]
    return "\n".join([*lines, "", f"# this page: harness {' '.join(sys.argv[1:])}"])


def manifests(runs: list[dict[str, Any]]) -> str:
    """What the first run of each method ran with, and on what; all of it, folded."""
    if not runs:
        return "<p>These runs were imported: their configuration is not known.</p>"
    parts = []
    firsts: dict[str, dict[str, Any]] = {}
    for run in runs:
        firsts.setdefault(run["method_name"], run)
    for name, run in firsts.items():
        told = html.escape(json.dumps(run, indent=1))
        parts.append(f"<details><summary>{html.escape(name)}, run {run['id']}</summary><pre>{told}</pre></details>")
    return "".join(parts)


def citations(found: Finished) -> list[str]:
    """The papers of every part that ran, of the space, and where the table is from."""
    from harness.search.probes.base import PROBES
    from harness.search.regularizers.base import REGULARIZERS
    from harness.search.searchers.base import SEARCHERS

    told = []
    if found.results.table is not None:
        about = found.results.table.info["about"]
        told += [found.results.table.space.source] if found.results.table.info["space"] else []
        told.append("; ".join(str(about[k]) for k in ("title", "source", "citation") if about.get(k)))
    known = {**SEARCHERS.classes, **REGULARIZERS.classes, **PROBES.classes}
    for run in found.manifests:
        parts = [*run["configuration"]["method"], *run["configuration"].get("probes", {})]
        told += [f"{part}: {known[part].paper}" for part in parts if part in known]
    return list(dict.fromkeys(t for t in told if t))
