"""What printed rows are: known answers of real papers, read from text, LaTeX, markdown and CSV."""

import json
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.tables.embedding import find_richest_table
from harness.verdicts.trace.explain import Explanation, Traced, Tracer
from harness.verdicts.trace.printed import read_file, read_row
from tests.conftest import ROOT

C10 = ("cifar10-valid/x-valid@200", "cifar10/ori-test@200")
C100 = ("cifar100/x-valid@200", "cifar100/x-test@200")
IMAGENET = ("ImageNet16-120/x-valid@200", "ImageNet16-120/x-test@200")


@pytest.fixture(scope="module")
def tracer() -> Tracer:
    return Tracer(find_richest_table())


def first(tracer: Tracer, text: str) -> Explanation:
    return tracer.trace(read_row(text)).explanations[0]


def named(text: str, *columns: str, runs: int | None = None) -> Traced:
    return Tracer(find_richest_table(), columns, runs).trace(read_row(text))


# -- known answers -------------------------------------------------------------------------------------------------


def test_darts_row_is_the_collapse_cell(tracer: Tracer) -> None:
    for text in (
        "39.77 54.30 15.03 15.61 16.43 16.32",
        r"DARTS-V1~\cite{darts} & 39.77$\pm$0.00 & \textbf{54.30}$\pm$0.00 & 15.03 & 15.61 & 16.43 & 16.32 \\",
        "| DARTS (1st) | **39.77** ± 0 | 54.30 (0.00) | 15.03 | 15.61 | 16.43 | 16.32 |",
        "39.77/54.30, 15.03/15.61, 16.43/16.32",
    ):
        found = first(tracer, text)
        assert (found.kind, found.cells) == ("one cell", ((1835,),))
        assert found.reading == "200 epochs, mean; or 200 epochs, mean-nasbench201"
        assert found.chance < 1e-9 and not found.coincidence


def test_drnas_row_is_9930_and_optima_are_of_several_cells(tracer: Tracer) -> None:
    assert first(tracer, "91.55±0 94.36±0 73.49±0 73.51±0 46.37±0 46.34±0").cells == ((9930,),)
    optima = first(tracer, "91.61/94.37, 73.49/73.51, 46.73/47.31")
    assert (optima.kind, optima.cells) == ("the best of each column", ((6111, 6111, 9930, 9930, 10676, 857),))


def test_gdas_on_imagenet_is_138_and_may_be_a_coincidence() -> None:
    found = named("40.66±0 41.02±0", *IMAGENET).explanations
    assert [(e.kind, e.cells) for e in found] == [("one cell", ((138,),))]
    assert found[0].chance == pytest.approx(0.056, abs=0.001)
    assert found[0].coincidence


def test_46_77_is_the_second_trial_of_the_best_cell(tracer: Tracer) -> None:
    """Its mean is 46.73; among lone numbers it may be a coincidence, which is told."""
    traced = named("46.77", IMAGENET[0])
    found = traced.explanations[0]
    assert (found.kind, found.cells) == ("a trial of the best cell", ((10676,),))
    assert found.reading == "200 epochs, trial 888 (the second)"
    assert found.note == "whose mean is 46.73, the highest"
    (above,) = [f for f in traced.findings if "46.77" in f]
    assert above == (
        "46.77 is above the space's optimum of ImageNet16-120 validation, 46.73 (#10676), but not above the best "
        "single trial that is known, 47.40"
    )
    assert first(tracer, "46.77").cells == ((10676,),)


def test_idarts_log_is_the_second_trial_of_15341(tracer: Tracer) -> None:
    found = first(tracer, "90.07 - 69.90 - 40.53 -")
    assert (found.kind, found.cells, found.unknown) == ("one trial of one cell", ((15341,),), ())
    assert found.reading == "200 epochs, trial 888 (the second)"
    assert found.chance < 1e-3
    whole = first(tracer, "90.07/93.78 69.90/70.44 40.53/41.40")
    assert (whole.cells, [str(p) for p in whole.unknown]) == (((15341,),), ["cifar10 test"])


def test_natsbench_mean_of_three_is_found_among_many() -> None:
    """One number and its deviation say next to nothing: what was published is one of hundreds of pairs."""
    found = named("61.26±4.43", C100[1], runs=3).explanations
    fitting = [e for e in found if (3521, 3521, 12830) in e.cells]
    assert [e.note for e in fitting] == ["3 runs, the deviation divides by n"]
    assert all(e.coincidence for e in found)
    assert len(fitting[0].cells) == 441
    assert fitting[0].chance == pytest.approx(441, rel=0.1)  # chance explains all of them


@pytest.mark.parametrize(("trial", "number", "cell"), [(777, 73.72, 13714), (888, 73.46, 2053), (999, 73.58, 9930)])
def test_the_best_by_one_trial_is_another_cell(trial: int, number: float, cell: int) -> None:
    found = [e for e in named(f"{number}", C100[0]).explanations if e.kind == "the best of its column"]
    assert [(e.cells, f"trial {trial}" in e.reading) for e in found] == [(((cell,),), True)]


def test_what_lies_above_the_optimum_is_told(tracer: Tracer) -> None:
    traced = tracer.trace(read_row("95.31 77.83"))
    assert traced.explanations == []
    assert traced.findings[:2] == [
        "95.31 is above the space's optimum of cifar10 test, 94.37 (#6111)",
        "77.83 is above the space's optimum of cifar100 test, 73.51 (#9930)",
    ]


def test_the_row_resnet_is_no_cell_s_mean_but_one_trial_of_the_residual_cell(tracer: Tracer) -> None:
    """On CIFAR-100 and ImageNet16-120 its four numbers are trial 888 of #11472, the space's residual block; on CIFAR-10
    the same trial is 90.84, stored as 90.83999998, of which 90.83 is cut and not rounded."""
    traced = tracer.trace(read_row("ResNet 90.83 93.97 70.42 70.86 44.53 43.63"))
    assert not any(len(e.places) == 6 for e in traced.explanations)
    found = traced.explanations[0]
    assert (found.kind, found.cells, len(found.places)) == ("one trial of one cell", ((11472,),), 4)
    assert found.reading == "200 epochs, trial 888 (the second)"
    assert found.chance < 1e-4
    table = tracer.table
    assert table.encoding(table.row(11472)) == (
        "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|"
    )
    assert table.lookup(11472, C10[0], 888) == 90.83999997802735


def test_rows_whose_data_sets_were_searched_apart(tracer: Tracer) -> None:
    traced = tracer.trace(read_row("39.77 54.30 38.57 38.97 18.87 18.41"))
    assert [(e.kind, e.cells, len(e.places)) for e in traced.explanations[:2]] == [
        ("one cell", ((2299,),), 4),
        ("one cell", ((1835,),), 2),
    ]
    enas = tracer.trace(read_row("39.77 54.30 10.23±0.12 10.62±0.27 16.43 16.32")).explanations[0]
    assert (enas.cells, {p.dataset for p in enas.places}) == (((1835,),), {"cifar10", "ImageNet16-120"})


def test_setn_s_row_is_three_runs_at_two_networks(tracer: Tracer) -> None:
    """Twelve printed numbers. Cells that are one network have equal values, so that several triples fit."""
    found = first(tracer, "84.04±0.28 87.64±0 58.86±0.06 59.05±0.24 33.06±0.02 32.52±0.21")
    assert (found.kind, found.note) == ("a mean of cells", "3 runs, the deviation divides by n")
    assert (11054, 11618, 11618) in found.cells
    values = {tuple(round(tracer.table.lookup(c, m), 4) for c in cells for m in (*C10, *C100)) for cells in found.cells}
    assert len(values) == 1
    assert found.chance < 1e-5


def test_schedules_and_splits(tracer: Tracer) -> None:
    table = tracer.table
    cell = 7_000
    short = [f"{table.lookup(cell, m.replace('@200', '@12')):.2f}" for m in (*C10, *C100, *IMAGENET)]
    found = first(tracer, " ".join(short))
    assert ((cell,) in found.cells, found.reading) == (True, "12 epochs, mean")
    mixed = [(table.lookup(cell, m[0]) + table.lookup(cell, m[1])) / 2 for m in (C100, IMAGENET)]
    pairs = [(C100[0], mixed[0]), (IMAGENET[0], mixed[1])]
    row = [f"{table.lookup(cell, m):.2f}" for m in C10]
    row += [f"{v:.2f}" for measure, test in pairs for v in (table.lookup(cell, measure), test)]
    found = first(tracer, " ".join(row))
    assert ((cell,) in found.cells, found.kind) == (True, "one cell")
    assert "validation and test images mixed as test" in found.reading
    half = table.lookup(cell, "cifar10-valid/ori-test@200")
    found = first(
        tracer, " ".join([row[0], f"{half:.2f}", *(f"{table.lookup(cell, m):.2f}" for m in (*C100, *IMAGENET))])
    )
    assert ((cell,) in found.cells, "cifar10-valid/ori-test@200 as test" in found.reading) == (True, True)


def test_columns_in_another_order(tracer: Tracer) -> None:
    found = first(tracer, "16.32 54.30 15.61 39.77")
    assert (found.kind, found.cells) == ("one cell", ((1835,),))
    assert [str(p) for p in found.places] == [
        "ImageNet16-120 test",
        "cifar10 test",
        "cifar100 test",
        "cifar10 validation",
    ]


def test_our_own_rows_are_found(tracer: Tracer) -> None:
    """What is published here, looked up in the table's first version."""
    folder = ROOT / "results" / "published" / "cifar10-8"
    lookups, epochs = (pd.read_parquet(folder / f"{n}.parquet") for n in ("lookups", "epochs"))
    run = (epochs["method"] == "darts") & (epochs["seed"] == 1)
    last = epochs[run].iloc[-1]
    own = lookups[(lookups["method"] == "darts") & (lookups["seed"] == 1) & (lookups["epoch"] == last["epoch"])]
    keys = own["dataset"] + "/" + own["split"] + "@" + own["table_epochs"].astype(str)
    values = dict(zip(keys[own["trial"] == "mean"], own["accuracy_pct"][own["trial"] == "mean"], strict=True))
    order = (*C10, *C100, *IMAGENET)
    row = " ".join("-" if np.isnan(values[m]) else f"{values[m]:.2f}" for m in order)
    cell = tracer.table.space.index(last["architecture"])
    assert (cell,) in first(tracer, row).cells


# -- how fast, and how it reads --------------------------------------------------------------------------------------


def test_a_row_takes_less_than_a_second() -> None:
    start = time.perf_counter()
    Tracer(find_richest_table()).trace(read_row("39.77 54.30 15.03 15.61 16.43 16.32"))
    assert time.perf_counter() - start < 1


def test_a_file_is_traced_row_by_row(tmp_path: Path) -> None:
    latex = r"""
\begin{tabular}{lccc}
Method & Params (M) & CIFAR-10 & ImageNet16-120 \\ \hline
% \textit{old} & 3.1 & 11.11 & 12.22 \\
DARTS~\cite{liu2019} & 0.07 & 54.30$\pm$0.00 & 16.32 \\
\textbf{Ours} (50 epochs) & 1.07 & \textbf{95.31} & - \\
\end{tabular}
"""
    (tmp_path / "paper.tex").write_text(latex)
    rows = list(read_file(tmp_path / "paper.tex"))
    assert [(r.label, [n and n.text for n in r.numbers], r.line) for r in rows] == [
        ("DARTS", ["54.30±0.00", "16.32"], 5),
        ("Ours (50 epochs)", ["95.31", None], 6),
    ]
    (tmp_path / "t.md").write_text("| m | test |\n|---|---:|\n| DARTS | 54.30 |\n")
    (tmp_path / "t.csv").write_text("method,test,days\nDARTS,54.30,0.4\n")
    for name in ("t.md", "t.csv"):
        (row,) = read_file(tmp_path / name)
        assert (row.label, [n and n.value for n in row.numbers]) == ("DARTS", [54.3])
    out = CliRunner().invoke(main, ["trace", "--file", str(tmp_path / "paper.tex"), "--format", "json"])
    told = json.loads(out.stdout)
    assert told[0]["is"].startswith("one cell: #1835 (200 epochs, mean")
    assert "95.31 is above the space's optimum" in told[1]["is"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "say what to trace: a row of numbers, or --file with a paper's tables"),
        (["DARTS"], "'DARTS' holds no number: write accuracies in % as they are printed"),
        (["105.2 54.3"], "105.2 in '105.2 54.3' is no accuracy in %"),
        (["1.1 2.2 3.3 4.4 5.5 6.6 7.7"], "the row has 7 numbers, and table nasbench201 knows 6 columns (cifar10"),
        (["54.30", "--columns", "cifar10/test@200"], "table nasbench201 has no cifar10/test@200: it has"),
        (["54.30 1.1", "--columns", "cifar10/ori-test@200"], "the row has 2 numbers, and --columns names 1: name each"),
        (["--file", "paper.pdf"], "paper.pdf ends in none of .tex, .md, .csv"),
        (["--file", "no.tex"], "no.tex cannot be read (No such file or directory)"),
    ],
)  # fmt: skip
def test_bad_rows_are_told(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(main, ["trace", *arguments])
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


def test_the_terminal_tells_it_in_short() -> None:
    out = CliRunner().invoke(main, ["trace", "39.77 54.30 15.03 15.61 16.43 16.32"]).stdout
    assert "in short: one cell: #1835 (200 epochs, mean; or 200 epochs, mean-nasbench201), by chance 1e-12\n" in out


@pytest.mark.parametrize(
    ("text", "value", "deviation"),
    [("61.26 (4.43)", 61.26, 4.43), ("61.26+-4.43", 61.26, 4.43), ("61.26 +/- 4.43%", 61.26, 4.43),
     (r"$61.26_{\pm 4.43}$", 61.26, 4.43), ("**61.26**", 61.26, None), (r"\underline{61.26}$^\dagger$", 61.26, None)],
)  # fmt: skip
def test_ways_to_print(text: str, value: float, deviation: float | None) -> None:
    (number,) = read_row(text).numbers
    assert number is not None
    assert (number.value, number.deviation, number.half) == (value, deviation, 0.005)


def test_no_row_is_found_where_there_is_none() -> None:
    with pytest.raises(HarnessError, match="holds no number"):
        read_row(r"\hline Method & - \\")
