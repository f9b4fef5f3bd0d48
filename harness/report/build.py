"""Building the report: what good practice asks, verdicts, trajectories, figures, and how it all was made."""

from __future__ import annotations

import base64
import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from harness.core.errors import HarnessError
from harness.core.files import write_file
from harness.core.markup import escape_for_html
from harness.core.version import __version__
from harness.plots.base import FIGURES
from harness.plots.choose import choose_runs
from harness.plots.gallery import make
from harness.plots.look import FigureLook
from harness.report.checklist import SOURCE, build_checklist
from harness.report.payload import build_payload
from harness.results.endpoints import Endpoints
from harness.results.runs import Runs
from harness.runs.apart import describe_alike
from harness.runs.preregistration import Endpoint
from harness.search.probes.base import PROBES
from harness.search.regularizers.base import REGULARIZERS
from harness.search.searchers.base import SEARCHERS
from harness.verdicts.audit import audit
from harness.verdicts.collapse import compute_base_rate
from harness.verdicts.compare import Pair, compare, describe
from harness.verdicts.paper import build_paper_table

Rows = Sequence[dict[str, Any]]


def build(runs: Runs, to: Path) -> Path:
    """Write the report of finished runs to one HTML file that needs nothing else. Returns its path."""
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    drawn, look = choose_runs(runs)
    ends = runs.endpoints()
    cards, exploratory, problem = judge_pairs(runs, ends)
    made, missing = draw_figures(drawn, look)
    endpoint = f"{runs.declared.endpoint} {runs.scale.error}"
    standing = [runs.standing, describe_alike(runs.settings), *runs.provenance]
    room = Environment(
        loader=PackageLoader("harness.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=escape_for_html,
    )
    page = room.get_template("page.html").render(
        title=runs.name,
        summary=summarize_findings(runs),
        style=Markup(read_template("page.css")),
        checklist=build_checklist(runs, cards),
        checklist_source=SOURCE,
        standing=f"Endpoint: {endpoint}, {'; '.join(filter(None, standing))}.",
        verdicts=[(p.verdict, p.state in ("lower", "higher")) for p in cards],
        problem=problem,
        comparison=[p.row() for p in cards],
        exploratory=exploratory,
        suspicious=[f.row() for f in audit(runs)],
        results=[describe_methods(runs, ends), runs.final().to_dict("records")],
        paper=tabulate_accuracies(runs),
        figures=made,
        missing=[{"figure": n, "not drawn because": r} for n, r in missing.items()],
        commands=list_commands(runs),
        manifests=describe_manifests(runs.manifests),
        citations=list_citations(runs),
        # no tag inside of the data may end it, or begin another
        data=Markup(json.dumps(build_payload(drawn, look), separators=(",", ":")).replace("<", "\\u003c")),
        script=Markup(read_template("page.js")),
    )
    write_file(to, page.encode(errors="replace"))  # it quotes names of files, which need not be text
    return to


def read_template(name: str) -> str:
    return (files("harness.report") / name).read_text(encoding="utf-8")


def summarize_findings(runs: Runs) -> str:
    left_out = f"; {runs.missing} runs are not finished" if runs.missing else ""
    where = "without a table" if runs.table is None else f"on table {runs.table.name}"
    return f"{len(runs)} runs of {len(runs.methods)} methods {where}{left_out}. Made by nasbench-harness {__version__}."


def judge_pairs(runs: Runs, ends: Endpoints) -> tuple[list[Pair], list[dict[str, Any]], str]:
    """The pairs that were declared, those at other endpoints, and why there are none, where there are none."""
    try:
        cards = compare(ends, runs.declared)
    except HarnessError as error:
        return [], [], str(error)
    others: list[dict[str, Any]] = []
    for endpoint in get_args(Endpoint):
        if endpoint != runs.declared.endpoint:
            # where cells on the way were not judged, some endpoints have no value
            with suppress(HarnessError):
                others += [pair.row() | {"endpoint": endpoint} for pair in compare(ends, runs.declared, endpoint)]
    return cards, others, ""


def describe_methods(runs: Runs, ends: Endpoints) -> Rows:
    """A row a method, with how often it collapsed."""
    return describe(ends, runs.declared, compute_base_rate(runs))


def tabulate_accuracies(runs: Runs) -> tuple[Rows, str]:
    """The table of a paper and what stands under it; nothing where there is no table."""
    try:
        return build_paper_table(runs)
    except HarnessError:
        return [], ""


def draw_figures(runs: Runs, look: FigureLook) -> tuple[list[dict[str, str]], dict[str, str]]:
    """Name, title and picture of each figure, and why the others are not there."""
    made, missing = make(runs, options={name: runs.figures.of(name) for name in FIGURES.classes}, look=look)
    return [
        {
            "name": name,
            "title": one.content.title,
            "see": one.figure.see,
            "source": embed_picture(one.figure.render(one.content)),
        }
        for name, one in made.items()
    ], missing


def embed_picture(drawn: Any) -> str:
    """A figure as an address that holds it."""
    stream = io.BytesIO()
    drawn.savefig(stream, format="svg", metadata={"Date": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(stream.getvalue()).decode()}"


def list_commands(runs: Runs) -> str:
    """What gives these runs and this page again."""
    lines = [] if runs.source.is_dir() else [f"harness run {runs.source}"]
    lines += [f"harness {verb} {runs.source}" for verb in ("compare", "paper", "plot --all", "report")]
    return "\n".join([*lines, "", f"# this page: harness {' '.join(sys.argv[1:])}"])


def describe_manifests(runs: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """What the first run of each method ran with, and on what: a heading, and all of it."""
    firsts: dict[str, dict[str, Any]] = {}
    for run in runs:
        firsts.setdefault(run["method_name"], run)
    return [(f"{name}, run {run['id']}", json.dumps(run, indent=1)) for name, run in firsts.items()]


def list_citations(runs: Runs) -> list[str]:
    """The papers of every part that ran, of the space, and where the table is from."""
    return list(dict.fromkeys(t for t in _iterate_citations(runs) if t))


def _iterate_citations(runs: Runs) -> Iterator[str]:
    if runs.table is not None:
        about = runs.table.info["about"]
        yield runs.table.space.source if runs.table.info["space"] else ""
        yield "; ".join(str(about[k]) for k in ("title", "source", "citation") if about.get(k))
    known = {**SEARCHERS.classes, **REGULARIZERS.classes, **PROBES.classes}
    for run in runs.manifests:
        for part in [*run["configuration"]["method"], *run["configuration"].get("probes", {})]:
            if part in known:
                yield f"{part}: {known[part].paper}"
