"""Excerpts of public logs that whoever wrote the readers had not seen; numbers are theirs where a source is named."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from harness.core.errors import HarnessError
from harness.spaces.base import search_space
from tests.reports.common import FILES, INPUTS, cells, imported, of, run

GENOTYPE = (FILES / "geno" / "plain.txt").read_text().strip()
SKIPS, GOOD = 1835, 9930
SKIP_CELL = "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|"


def logged(path: Path, *lines: str, date: str = "2025-01-14") -> Path:
    """A log of a line a minute."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "".join(f"{date} {10 + k // 60}:{k % 60:02d}:00,000 {line}\n" for k, line in enumerate(lines)), "utf-8"
    )
    return path


def recurrent(first: str) -> str:
    rest = [("relu", 1), ("identity", 0), ("identity", 2), ("sigmoid", 4), ("tanh", 0), ("sigmoid", 1), ("identity", 6)]
    return f"Genotype(recurrent={[(first, 0), *rest]}, concat=range(1, 9))"


def test_a_language_models_log_prints_cells_in_the_middle_of_its_epochs(tmp_path: Path) -> None:
    """The lines and losses of AurelienGauffre/darts.pytorch1.1@dd86f85, rnn/search-EXP-20190730-220927/log.txt."""
    arguments = "args = Namespace(alpha=0, arch_lr=0.003, batch_size=256, epochs=50, lr=20, seed=3, unrolled=False)"
    lines = [arguments, "initial genotype:", recurrent("identity"), f"Args: {arguments[7:]}"]
    for epoch, (loss, operations) in enumerate(((8.80, ("relu", "tanh")), (7.64, ("relu", "sigmoid"))), start=1):
        for batch, operation in zip((50, 100), operations, strict=True):
            lines += [
                recurrent(operation),
                f"| epoch {epoch:3d} | {batch:5d}/  103 batches | lr 20.00 | ms/batch 666.19 | loss  9.70 | ppl 162.94",
            ]
        lines += ["-" * 89, f"| end of epoch {epoch:3d} | time: 92.75s | valid loss {loss:5.2f} | valid ppl  6612.11"]
    logged(tmp_path / "a" / "log.txt", *lines, recurrent("relu"))  # of an epoch that was not finished
    results, text = imported(tmp_path / "a", tmp_path / "to", "--space", "recurrent.ptb", table=None)
    rows = results.epochs
    assert rows[["seed", "epoch"]].to_numpy().tolist() == [[3, 0], [3, 1], [3, 2]]
    assert rows["search_valid_loss"].tolist() == pytest.approx([np.nan, 8.80, 7.64], nan_ok=True)
    read = search_space("recurrent.ptb").parse
    expected = [read(recurrent(operation)).encoding for operation in ("identity", "tanh", "sigmoid")]
    assert rows["architecture"].tolist() == expected
    assert "in the middle of epochs: the last one of each stands for the state after it" in text


def test_steps_that_name_their_epoch_do_not_begin_it_again(tmp_path: Path) -> None:
    lines = ["args = Namespace(seed=1)"]
    for epoch in range(2):
        lines += [f"Epoch: [{epoch}][{step}/390] lr 2.5e-02 loss 1.9" for step in (0, 50, 100)]
        lines += [f"valid_acc {50 + epoch}.0", f"genotype = {GENOTYPE}"]
    logged(tmp_path / "a" / "log.txt", *lines)
    results, _ = imported(tmp_path / "a", tmp_path / "to", "--space", "darts.full", table=None)
    assert results.epochs[["epoch", "supernet_accuracy_pct"]].to_numpy().tolist() == [[1, 50], [2, 51]]


def test_a_search_that_another_log_goes_on_with_is_one_run_however_cells_are_written(tmp_path: Path) -> None:
    """AI-Tech-Research-Lab/AsquaredM@5a303f9, dartspt/experiments/nasbench201/search-darts-201-0-darts-sam: the last
    cell stands in a benchmark's answer, the first of the other log in a Structure; the method there is darts-proj-sam,
    which searches on."""
    where, structure = tmp_path / "a", f"genotype = Structure(4 nodes with {SKIP_CELL})"
    common = "Namespace(dataset='cifar10', epochs=50, seed=0, resume_expid='',"
    logged(
        where / "log.txt",
        f"args = {common} method='darts-sam', dev=None, resume_epoch=0)",
        "epoch 0 lr 2.500000e-02", structure, "train 000 2.3e+00 10.9 54.6", "train_acc  40.1", "valid_acc  38.371998",
        SKIP_CELL, "datasets : ['cifar10-valid', 'cifar10'], extra-info : arch-index=1835",
    )  # fmt: skip
    logged(
        where / "log_resume-1_dev-proj_seed-0_intv-5.txt",
        f"args = {common} method='darts-proj-sam', dev='proj', resume_epoch=1)",
        "loading checkpoint from darts-proj-201",
        "epoch 1 lr 1.000000e-03", structure, "train 000 3.3e-01 89.0 100.0", "train_acc  92.8", "valid_acc  84.227997",
        SKIP_CELL,
        date="2025-01-15",
    )  # fmt: skip
    results, text = imported(where, tmp_path / "to")
    assert cells(results, method="darts-sam") == [SKIPS] * 3
    rows = of(results, "darts-sam")
    assert len(rows) == len(results.epochs) == 3
    assert rows["supernet_accuracy_pct"].tolist() == pytest.approx([np.nan, 38.371998, 84.227997], nan_ok=True)
    assert "goes on with darts-sam, seed 0, at epoch 1: it is one run" in text


def projection(chosen: list[int]) -> list[str]:
    """darts-pt's projection of one epoch an edge, which prints weights and no cell."""
    weights = [f"[{', '.join('1.' if k == operation else '0.' for k in range(5))}]" for operation in chosen]
    tensor = "tensor([" + ",\n        ".join(weights) + "], device='cuda:0', grad_fn=<SoftmaxBackward>)"
    return ["epoch 0", "project", "valid_acc 85.636002", "best opid 1", "epoch 1", tensor, "train_acc  42.848000",
            "train_loss 1.576023", "valid_acc  42.604000"]  # fmt: skip


def test_a_projection_that_prints_no_cell_has_it_in_its_last_weights(tmp_path: Path) -> None:
    """visionbasicagent/zerocost_operation_score@55fc52b, experiments/corr_time/darts_pt_0.txt."""
    arguments = "args = Namespace(method='darts-proj', dev='proj', resume_epoch=100, seed=0)"
    logged(tmp_path / "a" / "darts_pt_0.txt", arguments, *projection([1, 1, 3, 1, 1, 1]))
    results, text = imported(tmp_path / "a", tmp_path / "to")
    rows = of(results, "darts-pt")
    assert rows["architecture"].tolist() == [SKIP_CELL.replace("skip_connect~1|+", "nor_conv_3x3~1|+")]
    assert rows[["epoch", "supernet_accuracy_pct"]].to_numpy().tolist() == [[102, 42.604]]
    assert "it is a projection, which is the method darts-pt" in text


def test_weights_that_are_not_a_cell_are_none(tmp_path: Path) -> None:
    lines = [line.replace("0., 1., 0., 0., 0.", "0.2, 0.8, 0., 0., 0.") for line in projection([1, 1, 3, 1, 1, 1])]
    logged(tmp_path / "a" / "log.txt", "args = Namespace(method='darts-proj', dev='proj', seed=0)", *lines)
    code, text = run("import", "darts-log", tmp_path / "a", "--table", "nasbench201", "--to", tmp_path / "to")
    assert (code, "it holds a projection that names no cell" in text) == (2, True)


def weights(scale: float) -> str:
    """Mixing weights as torch prints them where they differ much: with exponents."""
    rows = []
    for row in range(14):
        small = [scale * (1 + k) * 1.0973e-03 * (1 + row % 3) for k in range(7)]
        rows.append(f"[{1 - sum(small):.4e}, {', '.join(f'{w:.4e}' for w in small)}]")
    return "tensor([" + ",\n        ".join(rows) + "],\n       device='cuda:0', grad_fn=<SoftmaxBackward>)"


def test_weights_with_exponents_are_weights(tmp_path: Path) -> None:
    """bamboosdu/randomNAS@e8f0e3d, log.txt: 4 digits behind the first one, and rows that sum to one within them."""
    lines = ["args = Namespace(seed=0)", "epoch 0 lr 2.5e-02", f"genotype = {GENOTYPE}"]
    lines += [f"normal_alphas = {weights(1)}", f"reduce_alphas = {weights(0.5)}", "valid_acc 40.0"]
    logged(tmp_path / "a" / "log.txt", *lines)
    results, _ = imported(tmp_path / "a", tmp_path / "to", "--space", "darts.full-none", table=None)
    row = results.epochs.iloc[0]
    mixed = np.exp(np.reshape(row["alphas"], (2, 14, 8)))
    assert mixed.sum(axis=2) == pytest.approx(1, abs=1e-4)
    assert mixed[0, 0, 1:3] == pytest.approx([1.0973e-03, 2.1946e-03])
    assert row["alphas_digits"] == 8


def test_one_array_that_is_printed_for_both_cells_is_neithers(tmp_path: Path) -> None:
    """The same log prints the normal cell's weights again where it says that they are the reduction cell's."""
    lines = ["args = Namespace(seed=0)", "epoch 0 lr 2.5e-02", f"genotype = {GENOTYPE}"]
    lines += [f"normal_alphas = {weights(1)}", f"reduce_alphas = {weights(1)}", "valid_acc 40.0"]
    logged(tmp_path / "a" / "log.txt", *lines)
    results, text = imported(tmp_path / "a", tmp_path / "to", "--space", "darts.full-none", table=None)
    assert not results.epochs["alphas"].map(len).any()
    assert "it prints one array as all logits of darts.full-none: they are left out" in text


def test_two_runs_in_a_file_are_refused_with_what_to_do(tmp_path: Path) -> None:
    """HAJEKEL/pt.darts@55c9415, searchs/fashionmnist/fashionmnist.log: runs of 2, 3 and 50 epochs under one name."""
    lines = []
    for accuracy, of_all in ((80.31, 10), (79.8433, 3), (81.3833, 50)):
        lines += ["Parameters:", "NAME=fashionmnist", "SEED=2"]
        lines += [f"Train: [ 1/{of_all}] Final Prec@1 72.6800%", f"Valid: [ 1/{of_all}] Final Prec@1 {accuracy}%"]
        lines += [f"genotype = {GENOTYPE}"]
    logged(tmp_path / "a" / "fashionmnist.log", *lines)
    code, text = run("import", tmp_path / "a", "--space", "darts.full", "--to", tmp_path / "to")
    assert (code, "more than one run; put what stands before and behind that into files of their own" in text) == (
        2,
        True,
    )


# -- NASLib's newest layout, with its log (its form; numbers are not public ones) ------------------------------------


def naslib_run(folder: Path, *, epochs: int = 2) -> Path:
    folder.mkdir(parents=True)
    (folder / "errors.json").write_text((INPUTS / "naslib2" / "DARTSOptimizer" / "errors_7.json").read_text())
    stamp = "[11/17 18:12:15] naslib INFO:"
    lines = []
    for epoch in range(epochs):
        lines.append(f"{stamp} Arch weights (alphas, last column argmax): ")
        for edge in range(6):
            largest = (edge + epoch) % 5
            values = [f"{0.5 if k == largest else -0.001 * k:+.06f}" for k in range(5)]
            lines.append(f"{', '.join(values)}, {largest}")
        lines.append(f"{stamp} Epoch {epoch}-0, Train loss: 2.3, validation loss: 2.3, learning rate: [0.025]")
        lines.append(f"{stamp} Epoch {epoch} done. Train accuracy: 30.1, Validation accuracy: 33.0")
    (folder / "log.log").write_text("\n".join(lines) + "\n")
    return folder


def test_lists_of_naslib_without_cells_take_them_from_the_log_beside(tmp_path: Path) -> None:
    naslib_run(tmp_path / "run" / "darts" / "7")
    results, text = imported(tmp_path / "run", tmp_path / "to")
    rows, space = of(results, "darts", 7), search_space("nasbench201")
    assert rows["epoch"].tolist() == [0, 1]
    assert rows["supernet_accuracy_pct"].tolist() == pytest.approx([np.nan, 33.0], nan_ok=True)
    assert rows["wall_s"].tolist() == [0, 100]
    expected = [space.parse(f"naslib:({', '.join(str((e + k) % 5) for e in range(6))})").encoding for k in range(2)]
    assert rows["architecture"].tolist() == expected
    # the logits are in our order: what is derived from them is the cell that was printed
    derived = [space.derive([np.reshape(alphas, (6, 5))]).encoding for alphas in rows["alphas"]]
    assert derived == expected
    assert "errors.json names no architecture: they are those of the log beside it" in text


def test_a_log_of_another_run_gives_naslibs_lists_no_cells(tmp_path: Path) -> None:
    naslib_run(tmp_path / "run" / "darts" / "7", epochs=3)
    code, text = run("import", tmp_path / "run", "--table", "nasbench201", "--to", tmp_path / "to")
    assert (code, "no log.log beside it prints any" in text) == (2, True)


def test_naslibs_lists_have_the_configuration_beside_them(tmp_path: Path) -> None:
    told, _ = json.loads((naslib_run(tmp_path / "run" / "x") / "errors.json").read_text())
    assert imported(tmp_path / "run", tmp_path / "to")[0].epochs["seed"].unique().tolist() == [told["seed"]]


# -- RandomNAS (the lines that liamcli/randomNAS_release@6513a0a prints; no log of it is public) ---------------------

SOME = "[(0, 4), (1, 3), (0, 4), (2, 5), (1, 1), (3, 6), (0, 2), (4, 4)]"
OTHER = "[(0, 1), (1, 1), (2, 3), (0, 2), (1, 4), (2, 3), (3, 5), (0, 6)]"


@pytest.mark.parametrize(("objective", "accuracy"), [(-44.25, 45.25), (0.5475, 45.25)])
def test_of_random_search_with_shared_weights_the_selected_cell_is_the_one_state(
    tmp_path: Path, objective: float, accuracy: float
) -> None:
    lines = [
        "Namespace(benchmark='cnn', epochs=2, eval_only=False, init_channels=16, seed=11)",
        "Args: Namespace(seed=5)",
    ]
    for epoch in (1, 2):
        lines += [
            "train 000 2.3 10.1 50.5",
            f"({SOME}, {SOME})",
            f"epoch {epoch}  |  train_acc 35.2  |  valid_acc 30.1",
        ]
    for _ in range(3):
        lines += [f"({OTHER}, {SOME})", "valid 000 2.0 40.0 70.0", f"({OTHER}, {SOME})", "objective_val: -40.500"]
    lines += [f"best arch: {SOME} {OTHER}, best arch valid performance: {objective:.4f}"]
    logged(tmp_path / "trial11" / "log.txt", *lines)
    results, text = imported(tmp_path / "trial11", tmp_path / "to", "--space", "darts.full", table=None)
    row = results.epochs.iloc[0]
    assert (len(results.epochs), row["method"], row["seed"], row["epoch"]) == (1, "randomnas", 11, 2)
    assert row["supernet_accuracy_pct"] == pytest.approx(accuracy)
    assert row["architecture"].startswith("Genotype(normal=[('sep_conv_3x3', 0), ('skip_connect', 1), ")
    assert "what was selected among 3 samples after epoch 2" in text


def test_random_search_that_selected_nothing_is_told(tmp_path: Path) -> None:
    logged(tmp_path / "a" / "log.txt", f"({SOME}, {OTHER})", "objective_val: -40.500")
    code, text = run("import", tmp_path / "a", "--space", "darts.full", "--to", tmp_path / "to")
    assert (code, "selects no architecture: it ends after 1 samples" in text) == (2, True)


def test_numbers_of_operations_are_read_where_only_one_list_has_them() -> None:
    space = search_space("darts.full")
    only = f"({SOME.replace('(4, 4)', '(4, 7)')}, {OTHER})"
    assert space.parse(only) == space.parse(f"indices:{only}")  # seven is in the longer list alone
    with pytest.raises(HarnessError, match=r"can be two genotypes.*indices: before it .*naslib: before it"):
        space.parse(f"({SOME}, {OTHER})")
    with pytest.raises(HarnessError, match="no operation 'none'"):
        space.parse(f"indices:({SOME.replace('(0, 4)', '(0, 0)', 1)}, {OTHER})")
    for wrong in (f"naslib:{only}", f"({SOME},)", f"({SOME}, [(0, 1)])", "[[1, 2], [3, 4]]"):
        with pytest.raises(HarnessError, match="is no genotype"):
            space.parse(wrong)


def test_a_table_that_can_train_nothing_looks_nothing_up(tmp_path: Path) -> None:
    results, text = imported(INPUTS / "dartsspace" / "search-0", tmp_path, table="darts.full.trained")
    assert "table darts.full.trained can train none of its architectures: nothing is looked up" in text
    assert (results.table, results.epochs["epoch"].tolist()) == (None, [0, 1])


@pytest.mark.parametrize(
    ("key", "matrix", "operations"),
    [
        # PedramBakh/EC-NAS-Bench@1a82fdd, graphs/generated_graphs_5V9E.json, whose 2,532 hashes were all checked
        ("001a6fcc8b38cbc515be788a86bdc804", [[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], [2, 2]),
    ],
)
def test_module_hashes_of_others(key: str, matrix: list[list[int]], operations: list[int]) -> None:
    from harness.spaces.nasbench1shot1.nasbench101 import NB101_OPERATIONS, hash_specification

    names = ["input", *(NB101_OPERATIONS[k] for k in operations), "output"]
    assert hash_specification({"matrix": matrix, "ops": names}) == key
