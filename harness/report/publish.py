"""Publishing a study: its rows, figures, manifest, description and table of results as a folder to commit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import join_inside, write_whole_folder
from harness.core.markup import escape_for_markdown, render_markdown_table
from harness.core.text import list_records
from harness.plots.choose import choose_runs
from harness.plots.gallery import make, save_all
from harness.report import croissant
from harness.results.load import read_planned
from harness.results.runs import Runs
from harness.runs.apart import describe_alike
from harness.runs.archive import write_archive
from harness.runs.execute import Planned
from harness.runs.schema import TABLES
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
    runs = read_planned(study, planned, folder=planned[0].folder.final.parent)
    with write_whole_folder(folder) as draft:
        manifest = {
            "study": study.file.model_dump(mode="json"),
            "declaration": runs.standing,
            "table": runs.manifests[0]["configuration"]["table"],
            "runs": runs.manifests,
        }
        write_archive(draft, {name: getattr(runs, name) for name in TABLES}, manifest)
        describe_folder(replace(runs, folder=folder), draft, study.source)
    return folder


def describe_folder(runs: Runs, folder: Path, study: Path) -> None:
    """Draw the figures of published results, and write their page and their description. What somebody wrote below
    the page is kept. study: the file that gives them."""
    drawn, look = choose_runs(runs)
    made, _ = make(drawn, FIGURES, {name: runs.figures.of(name) for name in FIGURES}, look)
    save_all(made, folder)
    page = folder / "README.md"
    _, marker, own = page.read_text(encoding="utf-8").partition(OWN) if page.is_file() else ("", "", "")
    page.write_text(f"{render_readme(runs, study, tuple(made))}{marker}{own}", encoding="utf-8")
    croissant.write(croissant.describe_results(runs.name, folder, runs), folder)


def render_readme(runs: Runs, study: Path, figures: tuple[str, ...]) -> str:
    """A Markdown page: the figures, the final results, what can be said of them, and the commands that give them."""
    declared, ends, base = runs.declared, runs.endpoints(), compute_base_rate(runs)
    floors = ""
    if runs.table is not None and (known := runs.table.references(runs.table.test)):
        told = ", ".join(f"{name} {runs.scale.told(value, 3)}" for name, value in known.items())
        floors = f"Table `{runs.table.name}`, {runs.table.test}, test {runs.scale.error}: {told}.\n\n"
    words = describe_alike(runs.settings)
    trained = f" {words[0].upper()}{words[1:]}." if words else ""
    old = [f"Of {clause}.\n\n" for clause in runs.provenance if clause.startswith("record format")]
    drawn = "".join(f"![{name}]({name}.png)\n\n" for name in figures)
    hindsight = f"`{runs.scale.best_epoch}` is chosen in hindsight and is no result of a search"
    if runs.scale.best_of_random in runs.final():
        hindsight += f"; `{runs.scale.best_of_random}` is what the best of as many random cells has"
    chance = (
        f" p: the chance that as many of {'such runs' if base.of_runs else 'as many random cells'} or more collapse."
        if base.told()
        else ""
    )
    described = describe(ends, declared, base)
    scaled = f" {SCALED}" if any(REGRET in row for row in described) else ""
    return (
        f"# {runs.name}\n\n{''.join(old)}{drawn}{render_markdown_table(list_records(runs.final()))}\n\n{floors}"
        f"{runs.scale.plural} are of the architecture derived after the last epoch, median over seeds, with the "
        "lowest and highest; "
        f"{hindsight}.{trained} {SECONDS}\n\n"
        f"{render_markdown_table(described)}\n\nCollapsed: {describe_rule(declared, base)}.{chance}{scaled}\n\n"
        f"{render_verdicts(runs)}\n\n```\nharness run {study}\nharness publish {study}\n```\n"
    )


def render_verdicts(runs: Runs) -> str:
    """A sentence for each pair that the study declares, or why there is none, and how they stand; of a study that
    varies kinds of draws by themselves, what the spread is made of."""
    how = "the comparison was " if runs.is_declared else ""
    stands = f"{how}{runs.standing}."
    stands = f"{escape_for_markdown(f'{stands[0].upper()}{stands[1:]}')}\n"
    if runs.design and runs.design.varied:
        return f"{stands}\n{render_ledger(runs)}"
    try:
        pairs = compare(runs.endpoints(), runs.declared)
    except HarnessError as error:
        return escape_for_markdown(f"No comparison: {error}.")
    return "\n".join([stands, *(f"- {escape_for_markdown(pair.verdict)}." for pair in pairs)])


def render_ledger(runs: Runs) -> str:
    """The ledger of every method: shares, what to repeat, and what stands under them."""
    made = compute_ledgers(runs)
    told = [f"- {escape_for_markdown(each.verdict)}." for each in made]
    return "\n".join(
        [
            render_markdown_table([each.row() for each in made]),
            "",
            *told,
            "",
            escape_for_markdown(write_caption(made, runs.declared)),
        ]
    )
