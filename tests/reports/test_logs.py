"""Logs in the form of public ones: what a log is decides, not how it is spelled; what is unknown is told."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.results.importers.lines import find_seed, find_statements, parse_arguments
from harness.results.load import load_folder
from tests.reports.common import FILES, INPUTS, cells, imported, of, run

TEST = 6111
"""The best cell of NAS-Bench-201 by its index."""
FIRST, SKIPS, GOOD = 6511, 1835, 9930


# -- phases --------------------------------------------------------------------------------------------------------


def test_a_projection_in_the_same_log_is_a_method_of_its_own(tmp_path: Path) -> None:
    results, text = imported(FILES / "projection", tmp_path)
    search = of(results, "blank")
    assert search["epoch"].tolist() == [0, 1, 2, 3]
    last = search.iloc[-1]
    test = results.lookups.query("method == 'blank' and epoch == 3 and dataset == 'cifar10' and split == 'ori-test'")
    assert test[test["table_epochs"] == 200]["accuracy_pct"].iloc[0] == pytest.approx(54.2967, abs=1e-4)
    assert (last["supernet_accuracy_pct"], last["train_loss"], last["wall_s"]) == (47.25, 1.48, 900)
    assert len(last["alphas"]) == 0
    projected = of(results, "blank-pt")
    assert cells(results, method="blank-pt") == [GOOD]
    assert projected[["epoch", "supernet_accuracy_pct", "train_loss", "wall_s"]].to_numpy().tolist() == [
        [5, 51, 1.1, 1500]
    ]
    assert "from line 44 on it is a projection, which is the method blank-pt" in text


def test_what_is_measured_again_before_a_projection_is_not_of_the_last_epoch(tmp_path: Path) -> None:
    """darts-pt tells the accuracy of its supernet once more before it projects."""
    text = (FILES / "projection" / "log.txt").read_text()
    again = "2024-03-01 10:16:01,000 train_acc  99.0\n2024-03-01 10:16:01,000 train_loss 0.1\n2024-03-01 10:16:01,000 valid_acc  88.0\n"  # noqa: E501
    (tmp_path / "projection").mkdir()
    (tmp_path / "projection" / "log.txt").write_text(
        text.replace("2024-03-01 10:16:00,000 epoch 0\n", again + "2024-03-01 10:16:02,000 epoch 0\n")
    )
    results, _ = imported(tmp_path / "projection", tmp_path / "to")
    last = of(results, "blank").iloc[-1]
    assert (last["supernet_accuracy_pct"], last["train_loss"]) == (47.25, 1.48)


def test_a_projection_in_a_log_of_its_own_goes_on_with_the_search(tmp_path: Path) -> None:
    results, text = imported(INPUTS / "dartspt" / "search-darts-201-0", tmp_path)
    assert cells(results, method="darts") == [14987, SKIPS, SKIPS]
    assert cells(results, method="darts-pt") == [TEST]
    assert of(results, "darts-pt")["epoch"].tolist() == [4]  # two epochs of search, two of projection
    best = results.lookups.query(
        "method == 'darts-pt' and dataset == 'cifar10' and split == 'ori-test' and table_epochs == 200"
    )
    assert best["accuracy_pct"].max() == pytest.approx(94.3733, abs=1e-4)
    assert "it is a projection, which is the method darts-pt" in text


@pytest.mark.parametrize(
    ("line", "phase"),
    [
        ("Discretized model:", "discretisation"),
        ("retraining the derived cell", "retraining"),
        ("train from scratch", "retraining"),
        ("Restricting skipconnect...", "restriction"),
        ("sampling 10 architectures", "sampling"),
        ("STARTING EVALUATION", "evaluation"),
    ],
)
def test_what_another_phase_prints_is_no_state_of_the_search(tmp_path: Path, line: str, phase: str) -> None:
    stamp = "2024-03-01 10:30:00,000 "
    (tmp_path / "a").mkdir()
    log = (FILES / "endofepoch" / "log.txt").read_text()
    cell = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    (tmp_path / "a" / "log.txt").write_text(f"{log}{stamp}{line}\n{stamp}valid_acc 99.0\n{stamp}genotype = {cell}\n")
    results, text = imported(tmp_path / "a", tmp_path / "to")
    assert cells(results) == [FIRST, SKIPS, GOOD]
    assert of(results, "darts")["supernet_accuracy_pct"].tolist() == [50, 51, 52]
    assert (f"({phase})" in text) == (phase not in ("evaluation", "sampling"))


def test_an_evaluation_within_the_search_ends_with_its_next_epoch(tmp_path: Path) -> None:
    log = (FILES / "endofepoch" / "log.txt").read_text()
    evaluated = log.replace(
        "2024-03-01 10:11:00,000 epoch 1",
        "2024-03-01 10:06:10,000 STARTING EVALUATION\n2024-03-01 10:06:20,000 TEST ERROR: 0.062 | VALID ERROR: "
        "0.070\n2024-03-01 10:11:00,000 epoch 1",
    )
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.txt").write_text(evaluated)
    results, _ = imported(tmp_path / "a", tmp_path / "to")
    assert cells(results) == [FIRST, SKIPS, GOOD]


# -- epochs, wordings, stamps --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["endofepoch", "endofepoch_fork"])
def test_the_order_of_lines_decides_which_epoch_a_cell_is_of(tmp_path: Path, name: str) -> None:
    results, _ = imported(FILES / name, tmp_path)
    rows = of(results, "darts")
    assert rows["epoch"].tolist() == [1, 2, 3]
    assert rows["supernet_accuracy_pct"].tolist() == [50, 51, 52]
    assert cells(results) == [FIRST, SKIPS, GOOD]


def test_accuracies_in_no_wording_that_is_known_leave_the_order_as_it_is(tmp_path: Path) -> None:
    text = (FILES / "endofepoch_fork" / "log.txt").read_text()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.txt").write_text(re.sub(r"Train acc: (\S+), Val acc: (\S+)", r"forty of a hundred", text))
    results, said = imported(tmp_path / "a", tmp_path / "to")
    assert of(results, "darts")["epoch"].tolist() == [1, 2, 3]
    assert "log.txt: no validation accuracy is found in it" in said


def test_other_wordings_of_accuracies_are_read(tmp_path: Path) -> None:
    results, _ = imported(FILES / "fork", tmp_path)
    rows = of(results, "sam", 1)
    assert rows["supernet_accuracy_pct"].tolist() == pytest.approx([np.nan, 45.25, 46.25], nan_ok=True)
    assert rows["train_loss"].tolist() == pytest.approx([np.nan, 1.5, 1.49], nan_ok=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("train_acc  30.051151", {("train", "accuracy"): 30.051151}),
        ("Train_acc: 40.000000", {("train", "accuracy"): 40.0}),
        ("Train acc: 31.20, Val acc: 39.54", {("train", "accuracy"): 31.2, ("valid", "accuracy"): 39.54}),
        ("train_acc 40.2 | train_obj 1.6", {("train", "accuracy"): 40.2, ("train", "loss"): 1.6}),
        ("valid_acc_top1 11.71", {("valid", "accuracy"): 11.71}),
        ("valid_acc_top5 28.7", {}),
        ("Train: [ 1/50] Final Prec@1 45.2500%", {("train", "accuracy"): 45.25}),
        ("Valid: loss 1.3 | top1 45.0 | top5 80", {("valid", "loss"): 1.3, ("valid", "accuracy"): 45.0}),
        ("valid accuracy@1=45.0%, accuracy@5=80%", {("valid", "accuracy"): 45.0}),
        ("Accuracy (validation): 40.1", {("valid", "accuracy"): 40.1}),
        ("Accuracy: train 40, valid 50", {("train", "accuracy"): 40.0, ("valid", "accuracy"): 50.0}),
        ("acc/valid 40.3", {("valid", "accuracy"): 40.3}),
        ("valid_acc 1", {("valid", "accuracy"): 1.0}),
        ("val_err 54.7", {("valid", "error"): 54.7}),
        ("valid_acc: tensor(45.2500, device='cuda:0')", {("valid", "accuracy"): 45.25}),
        ("valid_acc 40, best valid acc: 92", {("valid", "accuracy"): 40.0}),
        ("best_valid_acc 90", {}),
        ("train 000 2.329898e+00 10.937500 56.250000", {}),
        ("TRAIN Step: 010 Objs: 2.3 R1: 10 R5: 56", {}),
        ("cifar10 train 55.210000 test 54.300000", {}),
        ("test_acc 52.410000", {}),
    ],
)
def test_accuracies_in_any_common_wording(text: str, expected: dict[tuple[str, str], float]) -> None:
    assert {key: value for key, (value, _) in find_statements(text).items()} == expected


@pytest.mark.parametrize("name", ["stdout-log", "query-file-log"])
def test_stamps_of_a_console_are_read_like_those_of_a_file(tmp_path: Path, name: str) -> None:
    results, text = imported(INPUTS / name / "search-darts-0", tmp_path)
    assert of(results, "darts")["epoch"].tolist() == [0, 1, 2]
    assert cells(results) == [14987, GOOD, SKIPS]
    assert text.endswith("search-darts-0")  # nothing has to be said


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("05/21 ", "[05/21 "),
        ("05/21 ", "INFO:root:05/21 "),
        ("05/21 ", "05-21 "),
        (" PM ", " PM | "),
        (" PM ", " PM [INFO] "),
        (" PM ", " PM - INFO - "),
    ],
)
def test_stamps_of_other_loggers(tmp_path: Path, old: str, new: str) -> None:
    text = (INPUTS / "stdout-log" / "search-darts-0" / "log.txt").read_text().replace(old, new)
    text = text.replace(" PM ", " PM] ") if new.startswith("[") else text
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.txt").write_text(text)
    results, _ = imported(tmp_path / "a", tmp_path / "to")
    assert cells(results) == [14987, GOOD, SKIPS]
    assert of(results, "darts")["wall_s"].tolist() == [0, 188, 368]


# -- seeds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "method", "seed"), [("noseed", "noseed", 3), ("dictargs", "dictargs", 0), ("seed_5", "darts", 5)]
)
def test_a_seed_is_read_from_where_it_stands(tmp_path: Path, name: str, method: str, seed: int) -> None:
    results, _ = imported(FILES / name, tmp_path)
    assert of(results, method, seed)["epoch"].tolist() == [1, 2, 3]


def test_a_log_without_a_seed_takes_the_users(tmp_path: Path) -> None:
    code, text = run("import", INPUTS / "noargs" / "mine", "--table", "nasbench201", "--to", tmp_path)
    assert (code, "mine/log.txt says no seed" in text, "--seed N" in text) == (2, True, True)
    results, _ = imported(INPUTS / "noargs" / "mine", tmp_path, "--seed", 0, "--method", "darts")
    assert len(results) == 1 and of(results, "darts", 0)["epoch"].tolist() == [0, 1]


@pytest.mark.parametrize(
    "text",
    [
        "args = Namespace(dataset='cifar10', gpu=[0, 1], seed=3, layers=8)",
        "Args: {'data': '../data', 'seed': 3}",
        'config = {"seed": 3, "optimizer": {"lr": 0.1}}',
        "python train_search.py --seed 3 --method darts",
        "python train_search.py --epochs 50 --seed=3",
        "seed: 3",
        "Random seed is 3",
        "rand_seed        : 3",
        "Namespace(algo='darts-v1', rand_seed=3)",
        "manual_seed = 3",
    ],
)
def test_arguments_of_any_form_have_a_seed(text: str) -> None:
    assert find_seed(Path("/runs/mine/log.txt"), parse_arguments(text)) == 3


@pytest.mark.parametrize(
    ("path", "seed"),
    [
        ("/a/log_3.txt", 3),
        ("/a/seed_5/log.txt", 5),
        ("/a/seed-5/search/log.txt", 5),
        ("/a/darts_seed4.log", 4),
        ("/a/7/log.txt", 7),
        ("/a/run_2/log.txt", 2),
        ("/a/m/log_resume-3.txt", None),  # the epoch that it goes on at
        ("/a/m/log_resume-50_dev-proj_intv-5_seed-2.txt", 2),
        ("/a/search-EXP-20190716-132835/log.txt", None),  # a time
    ],
)
def test_names_that_have_a_seed(path: str, seed: int | None) -> None:
    assert find_seed(Path(path), {}) == seed


def test_a_run_without_epochs_is_told(tmp_path: Path) -> None:
    results, text = imported(FILES / "several", tmp_path)
    assert sorted(results.epochs["seed"].unique()) == [0, 1]
    assert "run2/log.txt: it holds no epoch with a cell, and is left out" in text
    shutil.copytree(FILES / "several", tmp_path / "several_more")
    (tmp_path / "several_more" / "run3").mkdir()
    # as 12 of RobustDARTS' public logs: no arguments, and stopped in the first epoch
    started = "2019-07-23 18:49:29,798 epoch 0 lr 2.5e-02\n2019-07-23 18:49:36,810 train 000 2.324860e+00 7.8 54.6\n"
    (tmp_path / "several_more" / "run3" / "log_2.txt").write_text(started)
    _, text = imported(tmp_path / "several_more", tmp_path / "to")
    assert "run2/log.txt, " in text and "run3/log_2.txt: it holds no epoch with a cell, and is left out" in text


# -- pieces --------------------------------------------------------------------------------------------------------


def test_a_resumed_log_is_one_run(tmp_path: Path) -> None:
    results, text = imported(FILES / "resume2", tmp_path)
    rows = of(results, "darts")
    assert rows["epoch"].tolist() == [0, 1, 2, 3, 4, 5, 6]
    assert rows["wall_s"].tolist() == [0, 300, 600, 900, 900, 1200, 1500]
    assert "log_resume-3.txt goes on with darts, seed 0, at epoch 4: it is one run" in text


def test_pieces_that_contradict_each_other_are_refused_with_both_lines(tmp_path: Path) -> None:
    shutil.copytree(FILES / "resume2", tmp_path / "a")
    later = tmp_path / "a" / "log_resume-3.txt"
    later.write_text(later.read_text().replace("epoch 4 lr", "epoch 1 lr").replace("epoch 5 lr", "epoch 2 lr"))
    code, text = run("import", tmp_path / "a", "--table", "nasbench201", "--to", tmp_path / "to")
    assert code == 2
    assert re.search(
        r"log\.txt, line \d+ and .*log_resume-3\.txt, line \d+ both hold epoch 1 of darts, seed 0, and contradict", text
    ), text


def test_a_restarted_run_of_confopt_is_one_run(tmp_path: Path) -> None:
    results, text = imported(INPUTS / "confopt", tmp_path)
    rows = of(results, "exp")
    assert rows["epoch"].tolist() == [1, 2, 3, 4]
    assert rows["wall_s"].tolist() == [100, 200, 300, 400]
    assert "goes on with exp, seed 0, at epoch 3" in text


# -- weights and logits --------------------------------------------------------------------------------------------


def test_ties_of_rounded_weights_are_told_and_are_as_they_were_printed(tmp_path: Path) -> None:
    results, _ = imported(FILES / "ties", tmp_path)
    code, text = run("rederive", tmp_path / "ties", "--policy", "argmax", "--to", tmp_path / "again")
    assert code == 0, text
    again = load_folder(tmp_path / "again" / "ties.argmax")
    assert again.epochs["architecture"].tolist() == results.epochs["architecture"].tolist()[:3]
    assert "4 digits of the weights, at which 9 of 18 choices are ties" in text
    assert "at 0 of 3 epochs another cell is derived" in text
    assert "darts has no logits at 1 of 4 epochs" in text


def test_raw_positive_logits_are_no_weights(tmp_path: Path) -> None:
    results, _ = imported(FILES / "rawpos", tmp_path)
    assert results.epochs["alphas"].iloc[0][:5].tolist() == [1.2, 0.3, 0.8, 2.1, 0.1]
    code, text = run("rederive", tmp_path / "rawpos", "--policy", "argmax", "--to", tmp_path / "again")
    assert (code, "is left out" in text) == (0, False)


def test_ones_and_zeros_are_a_sample_and_no_logits(tmp_path: Path) -> None:
    results, text = imported(FILES / "onehot", tmp_path)
    assert not results.epochs["alphas"].map(len).any()
    assert "ones and zeros, a sample and no logits" in text
    assert cells(results) == [FIRST, SKIPS, GOOD]


# -- other tools ---------------------------------------------------------------------------------------------------


def test_samples_of_naslib_are_no_epochs_of_a_supernet(tmp_path: Path) -> None:
    results, text = imported(FILES / "naslib", tmp_path)
    assert cells(results, seed=0) == cells(results, seed=1) == [GOOD] * 3  # the incumbent by validation
    sampled = of(results, "RS")["sampled"]
    assert [results.space.index(cell) for cell in sampled] == [GOOD, FIRST, SKIPS]  # type: ignore[union-attr]
    assert "RS trained no supernet" in text
    code, said = run("import", FILES / "naslib", "--space", "nasbench201", "--to", tmp_path / "alone")
    assert (code, "name a --table" in said) == (2, True)


def test_the_newest_layout_of_naslib(tmp_path: Path) -> None:
    results, _ = imported(INPUTS / "naslib" / "run", tmp_path)
    rows = of(results, "darts", 7)
    assert cells(results) == [14987, SKIPS]
    assert rows["supernet_accuracy_pct"].tolist() == [33, 41]
    assert rows["wall_s"].tolist() == [100, 201]


@pytest.mark.parametrize(("source", "epochs"), [(FILES / "naslib-new2", 3), (INPUTS / "naslib2", 2)])
def test_a_naslib_log_without_cells_is_told_as_what_it_is(tmp_path: Path, source: Path, epochs: int) -> None:
    code, text = run("import", source, "--table", "nasbench201", "--to", tmp_path)
    assert code == 2
    assert f"is complete, with {epochs} epochs, and names no architecture" in text


def test_logs_of_autodl_projects(tmp_path: Path) -> None:
    results, text = imported(INPUTS / "autodl" / "darts-v1", tmp_path)
    rows = of(results, "darts-v1", 777)
    assert rows["epoch"].tolist() == [1, 2]
    assert cells(results) == [GOOD, SKIPS]
    assert rows["supernet_accuracy_pct"].tolist() == [33, 43]
    assert rows["wall_s"].tolist() == [100, 200]
    assert "epoch 0 of these logs is epoch 1 here" in text


def test_older_logs_of_autodl_projects(tmp_path: Path) -> None:
    """Of ENAS and GDAS, whose epochs have one number, and whose choice after the last one is no epoch."""
    text = (INPUTS / "autodl" / "darts-v1" / "seed-777-T-01-Jan-at-00-00-00.log").read_text()
    older = (
        text.replace("000-002", "000")
        .replace("001-002", "001")
        .replace("search [base]", "searching")
        .replace("evaluate :", "evaluate  :")
    )
    end = "Last : the gentotype is : Structure(4 nodes with |none~0|+|none~0|none~1|+|none~0|none~1|none~2|), with the validation accuracy of 99.000%.\n"  # noqa: E501
    (tmp_path / "GDAS").mkdir()
    (tmp_path / "GDAS" / "seed-3-T-01-Jan-at-00-00-00.log").write_text(
        older.replace("Namespace(algo='darts-v1', dataset='cifar10', rand_seed=777)", "rand_seed        : -1") + end
    )
    results, said = imported(tmp_path / "GDAS", tmp_path / "to")
    assert cells(results) == [GOOD, SKIPS]
    assert of(results, "GDAS", 3)["supernet_accuracy_pct"].tolist() == [33, 43]
    assert "what is chosen after the last epoch" in said


def test_cells_of_1shot1_are_derived_from_the_logits_that_are_printed(tmp_path: Path) -> None:
    results, text = imported(INPUTS / "s1log" / "search-s1", tmp_path, "darts-log", table="nasbench1shot1.s1.digits")
    rows = results.epochs
    assert rows["epoch"].tolist() == [0]
    assert len(rows["alphas"].iloc[0]) == 24
    # by hand: pooling on every node; of the inputs the two largest
    assert (
        rows["architecture"].iloc[0] == "1:maxpool3x3(0)|2:maxpool3x3(0,1)|3:maxpool3x3(0,2)|4:maxpool3x3(0,2)|out(0,2)"
    )
    assert "they are derived from the logits that it prints" in text
    assert results.lookups["accuracy_pct"].notna().all()


def test_the_official_logs_of_1shot1_print_all_logits_in_one_message(tmp_path: Path) -> None:
    array = "array([[ 0.3, 0.1, 0.2],\n       [ 0.1, 0.2, 0.3],\n       [ 0.1, 0.3, 0.2],\n       [ 0.3, 0.1, 0.2]], dtype=float32)"  # noqa: E501
    rest = "array([[1e-3, 2e-3, 3e-3, 4e-3, 5e-3]], dtype=float32), array([[0.1, 0.2, 0.3]], dtype=float32), array([[0.1, 0.2, 0.3, 0.4]], dtype=float32)"  # noqa: E501
    stamp = "2020-06-01 10:00:0"
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.txt").write_text(
        f"{stamp}0,000 args = Namespace(seed=4)\n{stamp}1,000 epoch 0 lr 2.5e-02 cutout_prob 0.0\n{stamp}2,000 train "
        f"000 2.3e+00 10.0 50.0\n"
        f"{stamp}3,000 train_acc 50.0\n{stamp}4,000 valid_acc 48.0\n{stamp}5,000 architecture [{array}, {rest}]\n"
    )
    results, _ = imported(tmp_path / "a", tmp_path / "to", table="nasbench1shot1.s1.digits")
    assert results.epochs[["epoch", "supernet_accuracy_pct"]].to_numpy().tolist() == [[1, 48]]
    expected = "1:maxpool3x3(0)|2:conv1x1-bn-relu(0,1)|3:conv3x3-bn-relu(1,2)|4:maxpool3x3(2,3)|out(3,4)"
    assert results.epochs["architecture"].tolist() == [expected]


def test_logs_of_a_space_without_a_table(tmp_path: Path) -> None:
    source = INPUTS / "dartsspace" / "search-0"
    code, text = run("import", source, "--table", "none", "--to", tmp_path)
    assert (code, "darts.full and darts.full-none can read them" in text) == (2, True)
    results, _ = imported(source, tmp_path, "--table", "none", "--space", "darts.full", table=None)
    assert results.table is None and results.space is not None and results.space.name == "darts.full"
    assert results.epochs["epoch"].tolist() == [0, 1]
    assert results.epochs["count_skip_connect"].tolist() == [6, 7]
    assert results.epochs["supernet_accuracy_pct"].tolist() == pytest.approx([np.nan, 88.76], nan_ok=True)
    code, text = run("paper", tmp_path / "search-0")
    assert (code, "have no table" in text) == (2, True)


def test_p_darts_stages_are_one_search(tmp_path: Path) -> None:
    results, _ = imported(INPUTS / "pdarts" / "s", tmp_path, "--space", "darts.full", table=None)
    assert results.epochs[["epoch", "supernet_accuracy_pct"]].to_numpy().tolist() == [[1, 33]]
    log = (INPUTS / "pdarts" / "s" / "log.txt").read_text()
    args, rest = log.split("\n", 1)
    stage = "2019-09-16 09:50:00,000 param size = 1.9MB\n2019-09-16 09:50:01,000 Epoch: 0 lr: 2.5e-02\n2019-09-16 09:55:00,000 Train_acc 20.0\n2019-09-16 09:55:00,000 switches_normal = [[True, False]]\n"  # noqa: E501
    restricted = (
        rest
        + "2019-09-16 10:10:32,000 Restricting skipconnect...\n2019-09-16 10:10:33,000 "
        + rest.splitlines()[-1][24:].replace("skip_connect", "sep_conv_3x3")
        + "\n"
    )
    (tmp_path / "b" / "staged").mkdir(parents=True)
    (tmp_path / "b" / "staged" / "log.txt").write_text(
        f"{args}\n{stage}2019-09-16 09:55:01,000 param size = 2.0MB\n{restricted}"
    )
    staged, text = imported(tmp_path / "b" / "staged", tmp_path, "--space", "darts.full", table=None)
    assert staged.epochs["epoch"].tolist() == [2]
    assert staged.epochs["architecture"].tolist() == results.epochs["architecture"].tolist()
    assert "2 stages are one search" in text and "(restriction)" in text


def test_a_second_run_in_a_file_is_refused(tmp_path: Path) -> None:
    code, text = run("import", INPUTS / "gmnas" / "s", "--table", "nasbench201", "--to", tmp_path)
    assert (code, "epoch 0 begins a second time: the file holds more than one run" in text) == (2, True)


# -- units ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "table", "accuracies"),
    [
        (INPUTS / "chance120.csv", "nasbench201", [0.83]),
        (INPUTS / "imagenet" / "pc", "nasbench201", [np.nan, 0.1234]),
        (INPUTS / "own_export_digits100.csv", "nasbench201.digits", [0.9, 0.8]),
    ],
)
def test_accuracies_of_chance_are_taken_as_they_are(
    tmp_path: Path, source: Path, table: str, accuracies: list[float]
) -> None:
    results, text = imported(source, tmp_path, table=table)
    assert results.epochs["supernet_accuracy_pct"].tolist()[: len(accuracies)] == pytest.approx(accuracies, nan_ok=True)
    assert "they are taken as %, as they stand; if they are fractions, say --unit fraction" in text
    assert "--unit" not in imported(source, tmp_path / "stated", "--unit", "percent", table=table)[1]


def test_fractions_are_read_where_that_is_said_and_refused_where_losses_contradict(tmp_path: Path) -> None:
    log = (FILES / "fork" / "log.txt").read_text()
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "log.txt").write_text(re.sub(r"acc: (\d\d)\.(\d\d)", r"acc: 0.\1\2", log))
    code, text = run("import", tmp_path / "a", "--table", "nasbench201", "--to", tmp_path / "to")
    assert (code, "say --unit fraction, or --unit percent" in text) == (2, True)
    results, _ = imported(tmp_path / "a", tmp_path / "to", "--unit", "fraction")
    assert of(results, "sam", 1)["supernet_accuracy_pct"].tolist() == pytest.approx([np.nan, 45.25, 46.25], nan_ok=True)
    code, text = run("import", FILES / "fork", "--table", "nasbench201", "--to", tmp_path / "to", "--unit", "fraction")
    assert (code, "is no fraction" in text) == (2, True)


def test_fractions_without_losses_are_refused_where_they_rise_as_a_network_that_learns(tmp_path: Path) -> None:
    """A network that guesses among a hundred classes has 1 %, too, and is taken as it is."""
    cell = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"
    for name, accuracies in (
        ("learns", [0.31, 0.42, 0.44, 0.51, 0.55, 0.58, 0.62, 0.61]),
        ("guesses", [0.83, 0.9, 0.8, 0.83, 0.85, 0.76, 0.88, 0.83]),
    ):
        rows = [f"darts,0,{epoch},{cell},{value}" for epoch, value in enumerate(accuracies, 1)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["method,seed,epoch,arch,accuracy", *rows]) + "\n")
    code, text = run("import", tmp_path / "learns.csv", "--table", "nasbench201", "--to", tmp_path / "to")
    assert code == 2
    assert "none here is above 1, while they rise as those of a network that learns: say --unit fraction" in text
    learned, _ = imported(tmp_path / "learns.csv", tmp_path / "to", "--unit", "fraction")
    assert learned.epochs["supernet_accuracy_pct"].iloc[-1] == pytest.approx(61)
    guessed, _ = imported(tmp_path / "guesses.csv", tmp_path / "to")
    assert guessed.epochs["supernet_accuracy_pct"].iloc[0] == 0.83


# -- a part of a table ---------------------------------------------------------------------------------------------


def test_cells_that_a_table_does_not_hold_are_missing_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    words = ("--name", "part", "--space", "nasbench201", "--test", "cifar10/ori-test@200")
    assert run("tables", "add", FILES / "subset.csv", *words)[0] == 0
    code, text = run("tables", "info", "part", "--format", "csv")
    assert (code, ",15623," in text) == (0, True)
    assert "part: 2 of 15,625 architectures" in run("tables", "info", "part")[1]
    results, text = imported(FILES / "subsetlog", tmp_path, table="part")
    errors = 100 - results.errors()["error_pct"]
    assert errors.tolist() == pytest.approx([93.1, 94.1, 93.1, np.nan], nan_ok=True)
    assert "of 4 epochs 1 have another one (1 of 3 cells): their values are missing" in text


# -- real searches -------------------------------------------------------------------------------------------------


def test_the_searches_of_robustdarts_come_in_without_a_table(shared_data: Path, tmp_path: Path) -> None:
    """211 public searches: every epoch, cell and operation count, and where the validation error begins to rise."""
    folder = shared_data / "robustdarts_runs"
    derived = pd.read_csv(folder / "genotypes_per_epoch.csv.gz")
    searches = pd.read_csv(folder / "searches.csv.gz")

    def genotype(row: pd.Series) -> str:  # type: ignore[type-arg]
        kinds = {
            k: [(op, int(at)) for op, at in (e.split(":") for e in row[k].split(";"))] for k in ("normal", "reduce")
        }
        return f"Genotype(normal={kinds['normal']}, normal_concat=range(2, 6), reduce={kinds['reduce']}, reduce_concat=range(2, 6))"  # noqa: E501

    keys = ["space", "dataset", "drop_path", "weight_decay", "seed"]
    searches["nth"] = searches.groupby([*keys, "epoch"]).cumcount()
    derived["nth"] = derived.groupby([*keys, "epoch"]).cumcount()
    rows = searches.merge(derived, on=[*keys, "epoch", "nth"], validate="one_to_one")
    assert len(rows) == 10_550
    rows["arch"], rows["method"] = rows.apply(genotype, axis=1), rows["folder"]
    held = rows["folder"].str.contains("-2497")  # there the columns hold accuracies, not errors
    rows["accuracy"] = rows["valid_error"].where(held, 100 - rows["valid_error"])
    for space, part in rows.groupby("space"):
        part.assign(epoch=part["epoch"] + 1)[["method", "seed", "epoch", "arch", "accuracy"]].to_csv(
            tmp_path / f"{space}.csv", index=False
        )
        results, _ = imported(tmp_path / f"{space}.csv", tmp_path / "to", "--space", f"darts.{space}", table=None)
        ours = results.epochs.merge(
            part.assign(epoch=part["epoch"] + 1), on=["method", "seed", "epoch"], validate="one_to_one"
        )
        assert len(results) == part.groupby(["method", "seed"]).ngroups
        assert len(ours) == len(part)
        skips = ours["normal"].str.count("skip_connect") + ours["reduce"].str.count("skip_connect")
        assert ours["count_skip_connect"].tolist() == skips.tolist()
        assert ours["supernet_accuracy_pct"].to_numpy() == pytest.approx(ours["accuracy"].to_numpy())
        code, text = run("plot", tmp_path / "to" / str(space), "--figure", "onset", "--to", tmp_path / "figures")
        assert code == 0, text


# -- what other public code prints (the forms of its lines, with other numbers) --------------------------------------

GENOTYPE = (FILES / "geno" / "plain.txt").read_text().strip()
OTHER = GENOTYPE.replace("dil_conv_3x3", "skip_connect")


def written(tmp_path: Path, *lines: str) -> Path:
    folder = tmp_path / "search"
    folder.mkdir(exist_ok=True)
    (folder / "log.txt").write_text(
        "".join(f"07/16 01:{minute:02d}:00 PM | {line}\n" for minute, line in enumerate(lines))
    )
    return folder


def test_pt_darts_counts_from_1_and_says_its_accuracies_in_percent(tmp_path: Path) -> None:
    lines = ["", "Parameters:", "NAME=cifar10", "SEED=2", "####### ALPHA #######"]
    for epoch, (accuracy, genotype) in enumerate(((0.45, GENOTYPE), (0.55, OTHER)), start=1):
        lines += [
            f"Train: [{epoch:2d}/50] Step 000/390 Loss 2.303 Prec@(1,5) (10.9%, 50.0%)",
            f"Train: [{epoch:2d}/50] Final Prec@1 {accuracy - 0.1:.4%}",
            f"Valid: [{epoch:2d}/50] Step 000/390 Loss 2.003 Prec@(1,5) (12.9%, 50.0%)",
            f"Valid: [{epoch:2d}/50] Final Prec@1 {accuracy:.4%}",
            f"genotype = {genotype}",
        ]
    source = written(tmp_path, *lines, "Final best Prec@1 = 55.0000%", f"Best Genotype = {GENOTYPE}")
    results, text = imported(source, tmp_path / "to", "--space", "darts.full", table=None)
    assert results.epochs[["seed", "epoch", "supernet_accuracy_pct"]].to_numpy().tolist() == [[2, 1, 45], [2, 2, 55]]
    assert results.epochs["architecture"].nunique() == 2
    assert "it counts epochs from 1" in text


def test_sgas_decides_within_an_epoch(tmp_path: Path) -> None:
    lines = ["args = Namespace(seed=2, save='x', method_name='sgas')"]
    for epoch in range(2):
        lines += [
            f"epoch {epoch} lr 2.5e-02", f"train_acc {40 + epoch}.0", f"valid_acc {50 + epoch}.0",
            f"epoch {epoch}, normal_selected_idxs tensor([-1, -1]), added edge 3 with op idx 4",
            "post_valid_acc 9.0", f"genotype = {GENOTYPE}",
        ]  # fmt: skip
    results, _ = imported(written(tmp_path, *lines), tmp_path / "to", "--space", "darts.full", table=None)
    assert results.epochs[["epoch", "supernet_accuracy_pct"]].to_numpy().tolist() == [[1, 50], [2, 51]]


def test_drnas_and_pc_darts_print_the_last_genotype_after_the_last_epoch(tmp_path: Path) -> None:
    lines = ["args = Namespace(seed=4)"]
    for epoch in range(2):
        lines += [f"Epoch: {epoch} lr: 5.0e-01", f"Warming-up Epoch: {epoch}, LR: 1.0e-01", f"genotype = {GENOTYPE}"]
        lines += [f"Train_acc {40 + epoch}.0", f"Valid_acc {50 + epoch}.0", "Epoch time: 34s."]
    source = written(tmp_path, *lines, f"genotype = {OTHER}")
    results, text = imported(source, tmp_path / "to", "--space", "darts.full", table=None)
    assert results.epochs["epoch"].tolist() == [0, 1, 2]
    assert results.epochs["count_skip_connect"].tolist() == [6, 6, 7]
    assert results.epochs["supernet_accuracy_pct"].tolist() == pytest.approx([np.nan, 50, 51], nan_ok=True)
    assert "note:" not in text


def test_the_initial_genotype_is_the_state_before_any_training(tmp_path: Path) -> None:
    lines = ["args = Namespace(seed=4)", f"initial genotype: {GENOTYPE}"]
    for epoch in range(2):
        lines += [
            f"epoch {epoch} lr 2.5e-02",
            f"train_acc {40 + epoch}.0",
            f"valid_acc {50 + epoch}.0",
            f"genotype = {OTHER}",
        ]
    results, _ = imported(written(tmp_path, *lines), tmp_path / "to", "--space", "darts.full", table=None)
    assert results.epochs["epoch"].tolist() == [0, 1, 2]
    assert results.epochs["count_skip_connect"].tolist() == [6, 7, 7]


def test_a_retraining_is_no_search(tmp_path: Path) -> None:
    lines = ["args = Namespace(arch='DARTS', auxiliary=True, auxiliary_weight=0.4, seed=0)", f"genotype = {GENOTYPE}"]
    lines += ["epoch 0 lr 2.5e-02", "train_acc 40.0", "valid_acc 50.0", f"genotype = {GENOTYPE}"]
    code, text = run("import", "darts-log", written(tmp_path, *lines), "--space", "darts.full", "--to", tmp_path / "to")
    assert (code, "a training of one given cell, and no search" in text) == (2, True)
