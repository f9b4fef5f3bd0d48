"""Foreign logs: real ones of NASLib, and every format's rows, checks and errors."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.results.exporters.base import EXPORTERS
from harness.results.importers.base import IMPORTERS, find_importer, import_logs
from harness.results.importers.naslib import NASLib
from harness.results.load import load_folder
from harness.results.runs import Runs
from harness.tables.catalog import open_table
from harness.tables.table import Table
from tests.conftest import ROOT

TABLE = open_table("nasbench201.digits")
SKIPS = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
FIRST = "|nor_conv_3x3~0|+|skip_connect~0|none~1|+|none~0|skip_connect~1|nor_conv_1x1~2|"


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.exit_code, result.output


def imported(kind: str, source: Path, to: Path) -> tuple[Runs, list[str]]:
    """The rows of a source that must be recognized as this kind."""
    importer = find_importer(source)
    assert importer.name == kind
    folder, notes = import_logs(importer, source, TABLE, to, replace_older=True)
    return load_folder(folder), notes


# -- CSV -----------------------------------------------------------------------------------------------------------

ROWS = f"""method,seed,epoch,arch,seconds,loss,accuracy,alphas,lr
mine,0,0,{FIRST},0,,10,{" ".join(["0.5"] * 30)},0.1
mine,0,1,{SKIPS},4.5,1.25,60.5,,0.1
"""


def test_csv_rows_are_taken_as_they_are_and_looked_up(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(ROWS)
    results, notes = imported("csv", tmp_path / "runs.csv", tmp_path / "to")
    assert notes == ["not read: column lr"]
    assert results.epochs["epoch"].tolist() == [0, 1]  # 0 stays 0
    assert results.epochs["architecture"].tolist() == [FIRST, SKIPS]
    assert results.epochs["train_loss"].tolist() == pytest.approx([np.nan, 1.25], nan_ok=True)
    assert [len(a) for a in results.epochs["alphas"]] == [30, 0]
    assert results.timing["wall_s"].tolist() == [0, 4.5]
    expected = TABLE.lookup(TABLE.space.parse(SKIPS), TABLE.test)
    assert results.errors()["error_pct"].tolist()[1] == pytest.approx(100 - expected)
    assert len(results.lookups) == 2 * len(TABLE.columns)


def test_csv_eigenvalues_are_those_of_our_own_runs(tmp_path: Path) -> None:
    """Under the names of our own columns, so that figures and claims that need them work."""
    text = f"method,seed,epoch,arch,hessian_largest,hessian_smallest\nmine,0,1,{SKIPS},0.5,-0.1\nmine,0,2,{SKIPS},,\n"
    (tmp_path / "runs.csv").write_text(text)
    results, notes = imported("csv", tmp_path / "runs.csv", tmp_path / "to")
    assert notes == []
    assert results.epochs["hessian_largest"].tolist() == pytest.approx([0.5, np.nan], nan_ok=True)
    assert results.epochs["hessian_smallest"].tolist() == pytest.approx([-0.1, np.nan], nan_ok=True)
    (tmp_path / "runs.csv").write_text(text.replace("0.5,", "half,"))
    with pytest.raises(HarnessError, match=r"line 2: hessian_largest = 'half' is no number"):
        imported("csv", tmp_path / "runs.csv", tmp_path / "again")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "method,seed",
            "methode,seed",
            r"line 1: there is no column 'method'.*method, seed, epoch, arch must be among",
        ),
        ("mine,0,1", "mine,zero,1", r"runs.csv, line 3: seed = 'zero' is no whole number"),
        ("mine,0,1", "mine,0,0", r"line 3: mine, seed 0, epoch 0 is there twice, first at .*line 2"),
        ("mine,0,1", "mine,0,-1", r"line 3: seed and epoch are whole numbers from 0, not 0, -1"),
        ("mine,0,1", ",0,1", r"line 3: method is empty"),
        ("4.5,1.25", "4.5", r"line 3: 8 values are there, for 9 columns"),
        ("60.5", "160.5", r"line 3: an accuracy of 160.5 is no percentage"),
        ("60.5", "60,5", r"line 3: 10 values are there, for 9 columns"),
        (SKIPS, SKIPS.replace("skip_connect~2", "skip_conect~2"), r"line 3: .*skip_conect"),
        ("0,,10,0.5", "9,,10,0.5", r"line 3: mine, seed 0, epoch 1 is at 4.5 s, earlier than epoch 0 \(9 s\)"),
        ("10,0.5 ", "10,", r"line 2: 29 alphas are there, nasbench201 has 30"),
    ],
)
def test_csv_rows_that_cannot_be_right_are_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in ROWS
    (tmp_path / "runs.csv").write_text(ROWS.replace(old, new))
    code, text = run("import", "csv", tmp_path / "runs.csv", "--table", TABLE.name, "--to", tmp_path / "to")
    assert code == 2
    assert pd.Series([text.replace("\n", " ")]).str.contains(message).all(), text
    assert not (tmp_path / "to").exists()


def test_a_csv_that_is_not_recognized_says_what_is_amiss(tmp_path: Path) -> None:
    common = ("--table", TABLE.name, "--to", tmp_path / "to")
    (tmp_path / "a.csv").write_text(ROWS.replace("method,", "algorithm,"))
    code, text = run("import", tmp_path / "a.csv", *common)
    assert (code, "line 1: there is no column 'method'" in text) == (2, True)
    (tmp_path / "b.csv").write_text(ROWS.replace(",", ";"))
    code, text = run("import", tmp_path / "b.csv", *common)
    assert (code, "commas are to separate them, not ';'" in text.replace("\n", " ")) == (2, True)


def test_a_folder_that_is_there_is_replaced_where_that_is_said_alone(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(ROWS)
    words = ("import", tmp_path / "runs.csv", "--table", TABLE.name, "--to", tmp_path / "to")
    assert run(*words)[0] == 0
    (tmp_path / "runs.csv").write_text(ROWS.replace("60.5", "61.5"))
    code, text = run(*words)
    assert (code, "is there, and logs of another source may have that name" in text.replace("\n", " ")) == (2, True)
    folder = tmp_path / "to" / "runs"
    assert load_folder(folder).epochs["supernet_accuracy_pct"].tolist() == [10, 60.5]
    assert run(*words, "--replace")[0] == 0
    assert load_folder(folder).epochs["supernet_accuracy_pct"].tolist() == [10, 61.5]
    assert run("verify", folder)[0] == 0
    (folder / "epochs.parquet").write_bytes(b"")
    assert run("verify", folder)[0] == 1


def test_missing_epochs_are_told(tmp_path: Path) -> None:
    rows = [f"{method},0,{epoch},{SKIPS}" for method in ("a", "b") for epoch in range(0, 20, 5)]
    whole = ["method,seed,epoch,arch", *rows]
    (tmp_path / "whole.csv").write_text("\n".join(whole))
    assert imported("csv", tmp_path / "whole.csv", tmp_path)[1] == []  # every fifth epoch is as good as every one
    (tmp_path / "gap.csv").write_text("\n".join(whole[:2] + whole[3:]))
    assert imported("csv", tmp_path / "gap.csv", tmp_path)[1] == ["a seed 0 has no epoch between 0 and 10"]


def test_fractions_are_no_percentages(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(ROWS.replace("60.5", "0.605").replace(",,10,", ",,0.1,"))
    code, text = run("import", tmp_path / "runs.csv", "--table", TABLE.name, "--to", tmp_path / "to")
    assert (code, "accuracies are in %" in text) == (2, True)


def test_what_is_not_known_or_not_one_run_is_explained(tmp_path: Path) -> None:
    (tmp_path / "runs.csv").write_text(ROWS + f"other,0,0,{SKIPS},,,,,\n")
    (tmp_path / "notes.txt").write_text("nothing of any format")
    common = ("--table", TABLE.name, "--to", tmp_path / "to")
    code, text = run("import", tmp_path / "notes.txt", *common)
    assert (code, "in no format that is known: name one of autodl, confopt, csv" in text) == (2, True)
    code, text = run("import", tmp_path / "none.csv", *common)
    assert (code, "there is nothing at" in text) == (2, True)
    code, text = run("import", "cvs", tmp_path / "runs.csv", *common)
    assert (code, "unknown importer 'cvs': did you mean 'csv'" in text) == (2, True)
    code, text = run("import", tmp_path / "runs.csv", "--method", "x", *common)
    assert (code, "--method x would give 2 methods one name: mine, other" in text) == (2, True)
    code, text = run("import", tmp_path / "runs.csv", *common)
    assert (code, "not all runs end at the same epoch" in text) == (0, True)
    assert set(IMPORTERS.classes) == {"autodl", "confopt", "csv", "darts-log", "naslib", "randomnas", "tensorboard"}


# -- text logs -----------------------------------------------------------------------------------------------------

LOG = f"""2025-01-13 11:46:20,832 args = Namespace(dataset='cifar10', method='darts', epochs=2, seed=0, fast=False)
2025-01-13 11:46:35,800 param size = 1.686106MB
2025-01-13 11:46:37,227 epoch 0 lr 2.500000e-02
2025-01-13 11:46:37,341 genotype = Structure(4 nodes with {FIRST})
2025-01-13 11:46:37,353 tensor([[0.1998, 0.1996, 0.1998, 0.2004, 0.2004],
        [0.1998, 0.2003, 0.2001, 0.1999, 0.2000],
        [0.2004, 0.1999, 0.1999, 0.2000, 0.1997],
        [0.2004, 0.1999, 0.1998, 0.2001, 0.1999],
        [0.1999, 0.2002, 0.2000, 0.2000, 0.1999],
        [0.2000, 0.2001, 0.2002, 0.2001, 0.1996]], grad_fn=<ToCopyBackward0>)
2025-01-13 11:46:39,201 train 000 2.329898e+00 10.937500 56.250000
2025-01-13 11:50:13,023 train_acc  30.051151
2025-01-13 11:50:13,024 train_loss 1.837833
2025-01-13 11:50:32,839 valid_acc  36.751999
2025-01-13 11:50:32,839 valid_loss 1.696899
2025-01-13 11:50:32,840 {SKIPS}
datasets : ['cifar10-valid', 'cifar10', 'cifar100', 'ImageNet16-120'], extra-info : arch-index=1835
2025-01-13 11:50:32,840 cifar10 train 55.210000 test 54.300000
2025-01-13 11:50:32,864 epoch 1 lr 2.498816e-02
2025-01-13 11:50:32,864 genotype = Structure(4 nodes with {SKIPS})
2025-01-13 11:50:32,865 tensor([[0.1971, 0.2021, 0.2020, 0.2012, 0.1975],
        [0.1954, 0.2062, 0.1964, 0.2001, 0.2020],
        [0.2001, 0.2017, 0.2016, 0.1984, 0.1983],
        [0.1940, 0.2083, 0.1952, 0.1974, 0.2050],
        [0.1974, 0.2051, 0.1997, 0.1962, 0.2017],
        [0.1963, 0.2049, 0.1979, 0.1996, 0.2013]], grad_fn=<ToCopyBackward0>)
2025-01-13 11:54:49,152 train_acc  40.581043
2025-01-13 11:54:49,153 train_loss 1.587433
2025-01-13 11:55:08,329 valid_acc  40.944000
2025-01-13 11:55:08,329 valid_loss 1.602116
2025-01-13 11:55:08,330 {SKIPS}
datasets : ['cifar10-valid', 'cifar10', 'cifar100', 'ImageNet16-120'], extra-info : arch-index=1835
"""
"""Lines of a public log of darts-pt's code: two epochs, facts of a search that its authors published."""


def test_darts_logs_name_the_state_before_an_epoch(tmp_path: Path) -> None:
    (tmp_path / "search-darts-201-0").mkdir()
    (tmp_path / "search-darts-201-0" / "log.txt").write_text(LOG)
    results, notes = imported("darts-log", tmp_path / "search-darts-201-0", tmp_path / "to")
    assert notes == []
    assert results.epochs[["method", "seed", "epoch"]].to_numpy().tolist() == [["darts", 0, e] for e in range(3)]
    assert results.epochs["architecture"].tolist() == [FIRST, SKIPS, SKIPS]
    accuracy = results.epochs["supernet_accuracy_pct"].tolist()
    assert accuracy == pytest.approx([np.nan, 36.751999, 40.944], nan_ok=True)
    assert results.epochs["train_loss"].tolist() == pytest.approx([np.nan, 1.837833, 1.587433], nan_ok=True)
    assert results.timing["wall_s"].tolist() == pytest.approx([0.114, 235.613, 511.103])
    assert [len(a) for a in results.epochs["alphas"]] == [30, 30, 0]  # logits whose softmax is what was printed
    logits = np.array(results.epochs["alphas"][1]).reshape(6, 5)
    assert TABLE.space.derive([logits]).encoding == SKIPS
    assert np.exp(logits).sum(axis=1) == pytest.approx(1, abs=2e-4)


def test_a_darts_log_without_queries_ends_where_its_genotypes_end(tmp_path: Path) -> None:
    alone = "\n".join(line for line in LOG.splitlines() if not line.endswith(SKIPS) or "genotype" in line)
    sdarts = alone.replace("method='darts'", "perturb_alpha='pgd_linf'")
    (tmp_path / "sdarts-adv-7").mkdir()
    (tmp_path / "sdarts-adv-7" / "log.txt").write_text(
        sdarts.replace("2025-01-13 11", "01/13 11").replace(",832", " AM")
    )
    results, notes = imported("darts-log", tmp_path / "sdarts-adv-7", tmp_path / "to")
    assert results.epochs["epoch"].tolist() == [0, 1]
    assert set(results.epochs["method"]) == {"sdarts-adv-7"}  # the arguments name no method: the folder does
    assert len(notes) == 1 and "the run ends at epoch 1" in notes[0]
    (tmp_path / "sdarts-adv-7" / "log.txt").write_text(sdarts.replace("seed=0, ", ""))
    with pytest.raises(HarnessError, match="says no seed"):
        imported("darts-log", tmp_path / "sdarts-adv-7", tmp_path / "to")
    (tmp_path / "sdarts-adv-7" / "log.txt").write_text(LOG + LOG)
    with pytest.raises(HarnessError, match=r"line 35: epoch 0 begins a second time"):
        imported("darts-log", tmp_path / "sdarts-adv-7", tmp_path / "to")


def test_confopt_folders(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "DARTS" / "nb201" / "cifar10" / "3" / "supernet" / "2025-06-01-10:00:00.000"
    (folder / "genotypes").mkdir(parents=True)
    (folder / "genotypes" / "genotype_0000001.txt").write_text(FIRST)
    (folder / "genotypes" / "genotype_0000002.txt").write_text(SKIPS)
    (folder / "genotypes" / "last_genotype.txt").write_text("genotype_0000002.txt")
    (folder / "log").write_text(
        "[001-002] Search: Model metrics  : loss=1.84, accuracy@1=30.05%, accuracy@5=80.12%, time-cost=215.8 s\n"
        "[001-002] Search: Architecture metrics  : loss=1.80, accuracy@1=31.00%, accuracy@5=81.00%\n"
        "[001-002] Evaluation:  : loss=1.70, accuracy@1=36.75%, accuracy@5=85.00%\n"
        "[002-002] Search: Model metrics  : loss=1.59, accuracy@1=40.58%, accuracy@5=88.00%, time-cost=430.1 s\n"
    )
    results, notes = imported("confopt", tmp_path / "logs", tmp_path / "to")
    assert notes == []
    assert results.epochs[["method", "seed", "epoch"]].to_numpy().tolist() == [["DARTS", 3, 1], ["DARTS", 3, 2]]
    assert results.epochs["train_loss"].tolist() == [1.84, 1.59]
    assert results.epochs["supernet_accuracy_pct"].tolist() == pytest.approx([36.75, np.nan], nan_ok=True)
    assert results.timing["wall_s"].tolist() == [215.8, 430.1]
    (folder / "genotypes" / "genotype_0000000.txt").write_text(FIRST)
    results, notes = imported("confopt", tmp_path / "logs", tmp_path / "to")
    assert results.epochs["epoch"].tolist() == [1, 2, 3]
    assert "begin at 0" in notes[0]


def test_event_files_without_architectures_say_what_to_import_instead(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    writer = EventFileWriter(str(tmp_path / "runs" / "accuracy_valid"))
    writer.add_event(Event(step=0, summary=Summary(value=[Summary.Value(tag="accuracy", simple_value=36.75)])))
    writer.close()
    with pytest.raises(HarnessError, match=r"hold no text that is an architecture of nasbench201.*darts-log"):
        imported("tensorboard", tmp_path / "runs", tmp_path / "to")


# -- NASLib --------------------------------------------------------------------------------------------------------


def test_a_naslib_log_needs_architectures_and_nothing_else(tmp_path: Path) -> None:
    """It ended in a KeyError without valid_accuracy, and without valid_acc."""
    folder = tmp_path / "logs" / "GDASOptimizer"
    folder.mkdir(parents=True)
    (folder / "errors_4.json").write_text(json.dumps({"arch_eval": [{"arch": FIRST}, {"arch": SKIPS}]}))
    results, notes = imported("naslib", tmp_path / "logs", tmp_path / "to")
    assert results.epochs["epoch"].tolist() == [1, 2]
    assert results.epochs["supernet_accuracy_pct"].isna().all()
    assert notes == [
        "NASLib writes a row after each of its epochs: its first row, which it calls epoch 0, is epoch 1 here"
    ]
    (folder / "errors_4.json").write_text(json.dumps({"valid_acc": [1.0]}))
    with pytest.raises(HarnessError, match="is complete, with 1 epochs, and names no architecture"):
        imported("naslib", tmp_path / "logs", tmp_path / "to")
    (folder / "errors_4.json").write_text(json.dumps({"arch_eval": [{"accuracy": 4}]}))
    with pytest.raises(HarnessError, match=r"epoch 1: the entry of arch_eval has no 'arch'"):
        imported("naslib", tmp_path / "logs", tmp_path / "to")


@pytest.fixture(scope="module")
def naslib(
    tmp_path_factory: pytest.TempPathFactory, nasbench201_rows: list[dict[str, str]], shared_data: Path
) -> tuple[Path, Table]:
    """The real logs, and NAS-Bench-201 v1.0 as they looked it up."""
    from harness.tables.formats.tidy import import_tidy
    from harness.tables.measure import Measure

    folder = tmp_path_factory.mktemp("naslib")
    with (folder / "tidy.csv").open("w") as stream:
        stream.write("arch,dataset,split,epochs,trial,accuracy\n")
        for row in nasbench201_rows:
            stream.write(f"{row['arch_str']},cifar10,ori-test,200,mean,{row['cifar10_test_200_v10']}\n")
            stream.write(f"{row['arch_str']},cifar10-valid,x-valid,200,mean,{row['cifar10valid_val_200']}\n")
    table = import_tidy(
        folder / "tidy.csv",
        folder / "tables" / "nasbench201.v10",
        TABLE.space,
        about={"title": "t"},
        test=Measure("cifar10", "ori-test", 200),
        validation=Measure("cifar10-valid", "x-valid", 200),
    )
    return shared_data / "naslib_runs", table


PAIRS = (("SDARTSDARTS", "DARTS"), ("SDARTSPCDARTS", "PCDARTS"), ("SDARTSGDAS", "GDAS"))


def test_real_logs_are_imported_compared_and_drawn(
    naslib: tuple[Path, Table], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """24 searches of 50 epochs; what four seeds can carry is said, and nothing more."""
    source, table = naslib
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(table.folder.parent.parent))
    code, text = run("import", "naslib", source, "--table", table.name, "--to", tmp_path)
    assert code == 0, text
    results = load_folder(tmp_path / "naslib_runs")
    assert len(results) == 24
    assert sorted(results.epochs["epoch"].unique()) == list(range(1, 51))
    with gzip.open(source / "GDASOptimizer" / "errors_2.json.gz") as stream:
        log = json.load(stream)
    last = results.lookups[(results.lookups["method"] == "GDAS") & (results.lookups["seed"] == 2)]
    row = last[(last["epoch"] == 50) & (last["split"] == "ori-test")]["accuracy_pct"].item()
    assert row == pytest.approx(log["arch_eval"][49]["cifar10"]["test_accuracy"], abs=1e-3)
    pairs = f"comparison.pairs={json.dumps(PAIRS)}"
    code, text = run("compare", tmp_path / "naslib_runs", "--set", pairs, "--format", "json")
    rows = json.loads(text)
    assert [(r["method"], r["against"], r["n"], r["paired"]) for r in rows] == [(*p, 4, False) for p in PAIRS]
    assert all(r["p_holm"] == 1 for r in rows)
    assert rows[0]["shift"] == 0  # both derive the same architectures
    assert rows[0]["shift_low"] is None  # four runs leave every shift possible: infinity is no JSON
    code, text = run("plot", tmp_path / "naslib_runs", "--to", tmp_path / "figures")
    assert code == 0, text
    assert (tmp_path / "figures" / "trajectory.png").stat().st_size > 10_000


def test_the_committed_public_logs_are_what_the_import_gives(shared_data: Path, tmp_path: Path) -> None:
    committed = ROOT / "results" / "public-logs" / "naslib-one-shot"
    table = "nasbench201@ec9e34050e32"  # the version that they were looked up in
    code, text = run("import", "naslib", shared_data / "naslib_runs", "--table", table, "--to", tmp_path)
    assert code == 0, text
    for name in ("epochs", "lookups", "timing"):
        ours, theirs = (pd.read_parquet(f / f"{name}.parquet") for f in (tmp_path / "naslib_runs", committed))
        pd.testing.assert_frame_equal(ours, theirs)
    told = (committed / "README.md").read_text()
    drawn = pd.read_csv(committed / "trajectory-seeds.csv")
    for method, part in drawn.groupby("method"):
        medians = part.groupby("epoch")["value"].median()
        assert f"| {method} | {medians.min():.2f}, {medians.idxmin()} | {medians[50]:.2f} |" in told


def test_logs_that_disagree_or_are_broken_are_explained(naslib: tuple[Path, Table], tmp_path: Path) -> None:
    source, table = naslib

    def import_naslib(logs: Path, table: Table, to: Path) -> None:
        import_logs(NASLib(), logs, table, to)

    with pytest.raises(HarnessError, match="holds no NASLib logs"):
        import_naslib(tmp_path, table, tmp_path / "to")
    folder = tmp_path / "logs" / "DARTSOptimizer"
    folder.mkdir(parents=True)
    original = (source / "DARTSOptimizer" / "errors_0.json.gz").read_bytes()
    (folder / "errors_0.json.gz").write_bytes(original[:2_000])
    with pytest.raises(HarnessError, match=r"cannot be read as a NASLib log .* is it complete"):
        import_naslib(tmp_path / "logs", table, tmp_path / "to")
    log = json.loads(gzip.decompress(original))
    log["arch_eval"][3]["cifar10-valid"]["valid_accuracy"] += 0.5
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "errors_0.json").write_text(json.dumps(log))
    with pytest.raises(
        HarnessError, match=r"epoch 4: the log has .* % for cifar10-valid/x-valid@200, table .* version"
    ):
        import_naslib(tmp_path / "logs", table, tmp_path / "to")
    log["runtime"] = log["runtime"][:40]
    (folder / "errors_0.json").write_text(json.dumps(log))
    with pytest.raises(HarnessError, match=r"its lists have \[40, 50\] entries"):
        import_naslib(tmp_path / "logs", table, tmp_path / "to")
    assert not (tmp_path / "to" / "logs").exists()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ('"a\nb",0,1,5', "is not one line of 1 to 120 printable characters"),
        ('"\x1b[31m",0,1,5', "is not one line of 1 to 120 printable characters"),
        (f"{'a' * 121},0,1,5", "is not one line of 1 to 120 printable characters"),
        ("m,9223372036854775808,1,5", "seeds are below 2"),
        ("m,18446744073709551616,1,5", "seeds are below 2"),
        ("m,1_0,1,5", "seed = '1_0' is no whole number"),
        ("m,٣,1,5", "seed = .* is no whole number"),
        ("m,0,1_0,5", "epoch = '1_0' is no whole number"),
        ("m,0,99999999,5", "epochs at most"),
    ],
)
def test_names_and_numbers_that_no_part_carries(tmp_path: Path, row: str, told: str) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"method,seed,epoch,arch\n{row}\n", encoding="utf-8")
    with pytest.raises(HarnessError, match=told):
        import_logs(IMPORTERS.find("csv")(), path, open_table("nasbench201.digits"), tmp_path / "to")
    assert not (tmp_path / "to").exists()


def test_large_seeds_and_formulas_come_through_every_part(tmp_path: Path) -> None:
    """The largest seed, and a name that a spreadsheet would compute, are what they were at the end of each way."""
    seeds = [2**53 + 1, 2**63 - 1]
    rows = "".join(f"=1+1,{seed},{epoch},{5 + epoch}\nm,{seed},{epoch},7\n" for seed in seeds for epoch in (0, 1))
    (tmp_path / "log.csv").write_text(f"method,seed,epoch,arch\n{rows}")
    table, importer = open_table("nasbench201.digits"), IMPORTERS.find("csv")()
    folder, _ = import_logs(importer, tmp_path / "log.csv", table, tmp_path / "to")
    results = load_folder(folder)
    assert sorted(results.epochs["seed"].unique().tolist()) == seeds
    assert set(results.epochs["method"]) == {"=1+1", "m"}
    written = EXPORTERS.find("csv")().write(results, "log", str(tmp_path / "again.csv"))
    assert "'=1+1" in (tmp_path / "again.csv").read_text()
    again, _ = import_logs(importer, Path(written), table, tmp_path / "to")
    assert set(load_folder(again).epochs["method"]) == {"=1+1", "m"}
    assert sorted(load_folder(again).epochs["seed"].unique().tolist()) == seeds
    page = CliRunner().invoke(main, ["report", str(folder), "--to", str(tmp_path / "page.html")])
    assert page.exit_code == 0, page.output
    assert f'"seed":"{seeds[1]}"' in (tmp_path / "page.html").read_text()
    told = CliRunner().invoke(main, ["audit", str(folder), "--format", "json"]).stdout
    assert all(isinstance(row["seed"], str) for row in json.loads(told))


def test_many_rows_are_written_a_part_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written does not depend on how much is made at a time; a column that some rows lack is NaN there."""
    rows = "".join(
        f"m{m},{s},{e},{(97 * m + 13 * s + e) % 15625},{'1' if e % 2 else ''}\n"
        for m in range(3)
        for s in range(4)
        for e in range(5)
    )
    path = tmp_path / "log.csv"
    path.write_text(f"method,seed,epoch,arch,loss\n{rows}")
    frames = []
    for at_once in (1, 7, 1 << 18):
        monkeypatch.setattr("harness.results.importers.gathered.AT_ONCE", at_once)
        folder, _ = import_logs(IMPORTERS.find("csv")(), path, open_table("nasbench201"), tmp_path / f"to{at_once}")
        frames.append(load_folder(folder))
    for name in ("epochs", "lookups", "timing"):
        for other in frames[1:]:
            pd.testing.assert_frame_equal(getattr(frames[0], name), getattr(other, name))
    results, table = frames[0], open_table("nasbench201")
    assert len(results.lookups) == 60 * len(table.columns)
    asked = results.lookups.merge(results.epochs[["method", "seed", "epoch", "architecture"]])
    for row in asked.sample(50, random_state=0).to_dict("records"):
        trial = int(row["trial"]) if row["trial"].isdigit() else row["trial"]
        known = {
            (c.measure.dataset, c.measure.split, c.measure.epochs, c.trial): v
            for c, v in table.all_values(row["architecture"])
        }
        value = known[row["dataset"], row["split"], row["table_epochs"], trial]
        assert np.isclose(row["accuracy_pct"], value, equal_nan=True)
    assert results.epochs["train_loss"].isna().sum() == 36
