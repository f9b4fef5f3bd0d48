"""Publishing a study: its rows, figures, manifest, description and table of results as a folder to commit."""

from __future__ import annotations

import json
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import join_inside, write_whole_folder
from harness.core.markup import escape_for_markdown, render_markdown_table
from harness.core.text import list_records
from harness.plots.gallery import make, save_all
from harness.plots.source import PlotSource
from harness.report import croissant
from harness.results.endpoints import compute_endpoints
from harness.results.frames import Results
from harness.results.load import Finished
from harness.runs.apart import describe_alike
from harness.runs.execute import Planned
from harness.runs.preregistration import describe_standing
from harness.runs.schema import TABLES
from harness.runs.store import MANIFEST, write_tables
from harness.runs.study import Study
from harness.verdicts.collapse import compute_base_rate, describe_rule
from harness.verdicts.compare import REGRET, compare, describe
from harness.verdicts.ledger import compute_ledgers, write_caption

FIGURES = ("trajectory", "eigenvalue", "ledger")
"""Drawn of every publication, as far as it has their numbers."""
SCALED = "Normalized regret: 0 is the table's best cell, 1 its median one; IQM: mean over the middle half of the runs."
SECONDS = "Seconds are those of a run's search, without probes and lookups, on a machine as busy as it was then."
OWN = "<!-- What follows is written by hand, and kept when this page is made again. -->"


def publish(study: Study, planned: list[Planned], to: Path) -> Path:
    """Write `<to>/<study>`; refuses a study with unfinished runs."""
    missing = [p for p in planned if not p.finished]
    if missing:
        raise HarnessError(
            f"{len(missing)} of {len(planned)} runs of {study.name} are not finished: run the study first, "
            f"{study.command('run', planned[0].folder.final.parents[1])}"
        )
    folder = join_inside(to, study.name)
    manifests = [p.folder.manifest() for p in planned]
    results = Results.of_runs(planned, study.table, manifests, study.design)
    ids = {(p.run.method_name, p.run.number): p.run.id for p in planned}
    told = describe_standing(planned[0].folder.final.parent, study.file.comparison, ids)
    with write_whole_folder(folder) as draft:
        files = write_tables(draft, {name: getattr(results, name) for name in TABLES})
        manifest = {
            "study": study.file.model_dump(mode="json"),
            "declaration": told,
            "table": manifests[0]["configuration"]["table"],
            "runs": manifests,
            "files": files,
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n")
        found = Finished(
            study.name, study.source, results, 0, study.file.comparison, told, folder, manifests, study.file.figures
        )
        describe_folder(found, draft, study.source)
    return folder


def describe_folder(found: Finished, folder: Path, study: Path) -> None:
    """Draw the figures of published results, and write their page and their description. What somebody wrote below
    the page is kept. study: the file that gives them."""
    source = PlotSource.of(found.results, found.declared, found.figures, found.manifests)
    made, _ = make(source, FIGURES, {name: found.figures.of(name) for name in FIGURES})
    save_all(made, folder)
    page = folder / "README.md"
    _, marker, own = page.read_text(encoding="utf-8").partition(OWN) if page.is_file() else ("", "", "")
    page.write_text(f"{render_readme(found, study, tuple(made))}{marker}{own}", encoding="utf-8")
    croissant.write(croissant.describe_results(found.name, folder, found.results), folder)


def render_readme(found: Finished, study: Path, figures: tuple[str, ...]) -> str:
    """A Markdown page: the figures, the final results, what can be said of them, and the commands that give them."""
    results, declared = found.results, found.declared
    ends = compute_endpoints(results, declared)
    base = compute_base_rate(results, declared)
    floors = ""
    if results.table is not None and (known := results.table.references(results.table.test)):
        told = ", ".join(f"{name} {results.scale.told(value, 3)}" for name, value in known.items())
        floors = f"Table `{results.table.name}`, {results.table.test}, test {results.scale.error}: {told}.\n\n"
    words = describe_alike(results.settings)
    trained = f" {words[0].upper()}{words[1:]}." if words else ""
    old = [f"Of {clause}.\n\n" for clause in found.provenance if clause.startswith("record format")]
    drawn = "".join(f"![{name}]({name}.png)\n\n" for name in figures)
    hindsight = f"`{results.scale.best_epoch}` is chosen in hindsight and is no result of a search"
    if results.scale.best_of_random in results.final():
        hindsight += f"; `{results.scale.best_of_random}` is what the best of as many random cells has"
    chance = (
        f" p: the chance that as many of {'such runs' if base.of_runs else 'as many random cells'} or more collapse."
        if base.told()
        else ""
    )
    described = describe(ends, declared, base)
    scaled = f" {SCALED}" if any(REGRET in row for row in described) else ""
    return (
        f"# {found.name}\n\n{''.join(old)}{drawn}{render_markdown_table(list_records(results.final()))}\n\n{floors}"
        f"{results.scale.plural} are of the architecture derived after the last epoch, median over seeds, with the "
        "lowest and highest; "
        f"{hindsight}.{trained} {SECONDS}\n\n"
        f"{render_markdown_table(described)}\n\nCollapsed: {describe_rule(declared, base)}.{chance}{scaled}\n\n"
        f"{render_verdicts(found)}\n\n```\nharness run {study}\nharness publish {study}\n```\n"
    )


def render_verdicts(found: Finished) -> str:
    """A sentence for each pair that the study declares, or why there is none, and how they stand; of a study that
    varies kinds of draws by themselves, what the spread is made of."""
    how = "the comparison was " if found.is_declared else ""
    stands = f"{how}{found.standing}."
    stands = f"{escape_for_markdown(f'{stands[0].upper()}{stands[1:]}')}\n"
    if found.results.design and found.results.design.varied:
        return f"{stands}\n{render_ledger(found)}"
    try:
        pairs = compare(compute_endpoints(found.results, found.declared), found.declared)
    except HarnessError as error:
        return escape_for_markdown(f"No comparison: {error}.")
    return "\n".join([stands, *(f"- {escape_for_markdown(pair.verdict)}." for pair in pairs)])


def render_ledger(found: Finished) -> str:
    """The ledger of every method: shares, what to repeat, and what stands under them."""
    made = compute_ledgers(found.results, found.declared)
    told = [f"- {escape_for_markdown(each.verdict)}." for each in made]
    return "\n".join(
        [
            render_markdown_table([each.row() for each in made]),
            "",
            *told,
            "",
            escape_for_markdown(write_caption(made, found.declared)),
        ]
    )
