"""Publishing a study: its rows, figure, manifest and table of results as a folder to commit."""

from __future__ import annotations

import json
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import disk
from harness.core.markup import markdown
from harness.core.text import records
from harness.plots.content import save
from harness.plots.source import Source
from harness.plots.trajectory import Trajectory
from harness.results.endpoints import endpoints
from harness.results.frames import Results
from harness.runs.apart import alike
from harness.runs.execute import Planned
from harness.runs.preregistration import standing
from harness.runs.store import TABLES, write_tables
from harness.runs.study import Study
from harness.verdicts.compare import compare


def publish(study: Study, planned: list[Planned], to: Path) -> Path:
    """Write `<to>/<study>`; refuses a study with unfinished runs."""
    missing = [p for p in planned if not p.finished]
    if missing:
        raise HarnessError(
            f"{len(missing)} of {len(planned)} runs of {study.name} are not finished: run the study first"
        )
    folder = to / study.name
    results = Results.of_runs(planned, study.table)
    with disk(folder):
        folder.mkdir(parents=True, exist_ok=True)
        files = write_tables(folder, {name: getattr(results, name) for name in TABLES})
        manifests = [p.folder.manifest() for p in planned]
        figure = Trajectory(**study.file.figures.of(Trajectory.name))
        content = figure.content(Source.of(results, study.file.comparison, study.file.figures, manifests))
        save(figure.render(content), content, folder, figure.name)
        table = manifests[0]["configuration"]["table"]
        manifest = {
            "study": study.file.model_dump(mode="json"),
            "declaration": standing(planned[0].folder.final.parent, study.file.comparison),
            "table": table,
            "runs": manifests,
            "files": files,
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
        (folder / "README.md").write_text(readme(study, results))
    return folder


def verdicts(study: Study, results: Results) -> str:
    """A sentence for each pair that the study declares, or why there is none."""
    declared = study.file.comparison
    try:
        pairs = compare(endpoints(results, declared), declared)
    except HarnessError as error:
        return f"No comparison: {error}."
    return "\n".join(f"- {pair.verdict}." for pair in pairs)


def readme(study: Study, results: Results) -> str:
    """A Markdown page: the figure, the final results, and the commands that give them."""
    rows = records(results.final())
    floors = ""
    if results.table is not None and (known := results.table.references(results.table.test)):
        told = ", ".join(f"{name} {results.scale.told(value, 3)}" for name, value in known.items())
        floors = f"Table `{results.table.name}`, {results.table.test}, test {results.scale.error}: {told}.\n\n"
    words = alike(results.settings)
    trained = f" {words[0].upper()}{words[1:]}." if words else ""
    return (
        f"# {study.name}\n\n![trajectory](trajectory.png)\n\n{markdown(rows)}\n\n{floors}"
        f"{results.scale.plural} are of the architecture derived after the last epoch, median over seeds, "
        f"with the lowest and highest; `{results.scale.best_epoch}` is chosen in hindsight and is no result of a "
        f"search.{trained}\n\n"
        f"{verdicts(study, results)}\n\n```\nharness run {study.source}\nharness publish {study.source}\n```\n"
    )
