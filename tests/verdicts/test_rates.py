"""Learning rates that logs print: real ones, and those that torch's own scheduler gives in the orders of real code."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingLR

from harness.results.importers.base import LEARNING_RATE, find_importer, import_logs
from harness.results.load import load_folder
from harness.tables.catalog import open_table
from harness.verdicts.rates import find_shifted_rates, fit_schedule

EPOCHS = 20


def run(rates: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"epoch": np.arange(len(rates)) + 1, LEARNING_RATE: rates})


def printed(step_first: bool, ask: Callable[[CosineAnnealingLR], float]) -> tuple[list[float], list[float]]:
    """What code prints with seven digits, and what it used, with `scheduler.step()` at the beginning or the end of an
    epoch."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.025)
    scheduler = CosineAnnealingLR(optimizer, EPOCHS, eta_min=0.001)
    said, used = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for _ in range(EPOCHS):
            if step_first:
                scheduler.step()
            said.append(float(f"{ask(scheduler):e}"))
            used.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            if not step_first:
                scheduler.step()
    return said, used


def test_rates_as_they_should_be_are_not_suspicious() -> None:
    said, _ = printed(False, lambda s: s.get_last_lr()[0])
    assert said[0] == 0.025
    assert list(find_shifted_rates(run(said))) == []
    assert list(find_shifted_rates(run(said[:12]))) == []
    assert list(find_shifted_rates(run([0.025] * EPOCHS))) == []
    assert list(find_shifted_rates(run(list(np.linspace(0.1, 0.01, EPOCHS))))) == []


@pytest.mark.parametrize("asked", ["get_lr", "get_last_lr"])
def test_a_step_at_the_beginning_of_an_epoch_is_an_epoch_early(asked: str) -> None:
    """quark0's code, written for torch 0.3, under a later one."""
    said, used = printed(True, lambda s: getattr(s, asked)()[0])
    found = fit_schedule(np.arange(EPOCHS, dtype=float), np.array(said))
    assert found is not None
    assert (found.length, found.shift, found.recursive) == (EPOCHS, 1, asked == "get_lr")
    assert [found.used(e) for e in range(EPOCHS)] == pytest.approx(used, abs=1e-7)
    told = dict(find_shifted_rates(run(said)))
    assert set(told) == {"the learning rate is shifted by an epoch"} | (
        {"the printed learning rates are not those used"} if asked == "get_lr" else set()
    )
    assert (
        "each an epoch early: epoch 1 of training has that of epoch 2"
        in told["the learning rate is shifted by an epoch"]
    )


def test_what_get_lr_prints_is_not_what_was_used(shared_data: Path) -> None:
    """Both public searches of NAS-Bench-201 print it; here torch's own scheduler confirms which rates were used."""
    said, used = printed(False, lambda s: s.get_lr()[0])
    found = fit_schedule(np.arange(EPOCHS, dtype=float), np.array(said))
    assert found is not None
    assert found.recursive
    assert [found.used(e) for e in range(EPOCHS)] == pytest.approx(used, abs=1e-7)
    for name, column, length in (("a2m", "lr", 50), ("darts", "learning_rate", 100)):
        (path,) = (shared_data / "reference_runs").glob(f"{name}_*.csv")
        rows = pd.read_csv(path)
        schedule = fit_schedule(np.arange(length, dtype=float), rows[column].to_numpy(dtype=float))
        assert schedule is not None
        assert (schedule.length, schedule.shift, schedule.recursive) == (length, 0, True)
        assert (schedule.highest, schedule.lowest) == pytest.approx((0.025, 0.001), abs=1e-6)


def test_a_rate_that_comes_late_is_told() -> None:
    said, _ = printed(False, lambda s: s.get_last_lr()[0])
    ((what, evidence),) = find_shifted_rates(run([said[0], *said[:-1]]))
    assert what == "the learning rate is shifted by an epoch"
    assert evidence.endswith("each an epoch late: epoch 2 of training has that of epoch 1, 0.025")


def test_a_part_of_a_log_and_epochs_from_zero_are_told_and_few_decimals_are_not() -> None:
    said, _ = printed(True, lambda s: s.get_last_lr()[0])
    from_zero = run(said).assign(epoch=np.arange(len(said)))
    longer = [0.001 + 0.012 * (1 + np.cos(np.pi * (e + 1) / 50)) for e in range(12)]
    few = [round(rate, 5) for rate in said]
    for rows in (from_zero, run([float(f"{rate:e}") for rate in longer]), run(few)):
        assert [what for what, _ in find_shifted_rates(rows)] == ["the learning rate is shifted by an epoch"]
    assert list(find_shifted_rates(run([round(rate, 3) for rate in said]))) == []


def test_text_logs_bring_their_rates(tmp_path: Path) -> None:
    cell = "|nor_conv_3x3~0|+|nor_conv_3x3~0|skip_connect~1|+|nor_conv_3x3~0|none~1|skip_connect~2|"
    said, _ = printed(True, lambda s: s.get_last_lr()[0])
    lines = ["01/01 10:00:00 AM args = Namespace(seed=3, method='darts')"]
    autodl = ["args : Namespace(rand_seed=3, algo='DARTS-V1')"]
    for epoch, rate in enumerate(said):
        lines += [
            f"01/01 10:{2 * epoch:02d}:01 AM epoch {epoch} lr {rate:e}",
            f"01/01 10:{2 * epoch + 1:02d}:01 AM train_acc {30 + epoch:.2f}",
            f"01/01 10:{2 * epoch + 1:02d}:02 AM valid_acc {30 + epoch:.2f}",
            f"01/01 10:{2 * epoch + 1:02d}:03 AM genotype = {cell}",
        ]
        autodl += [
            f"[Search the {epoch:03d}-{EPOCHS:03d}-th epoch] Time Left: [00:00:00], LR={rate}",
            f"[{epoch:03d}-{EPOCHS:03d}] searching : loss=1.50, accuracy@1=40.00%, accuracy@5=90.00%, time-cost=10.0 s",
            f"[{epoch:03d}-{EPOCHS:03d}] evaluate  : loss=1.50, accuracy@1=40.00%, accuracy@5=90.00%",
            f"<<<--->>> The {epoch:03d}-{EPOCHS:03d}-th epoch : Structure(4 nodes with {cell})",
        ]
    for name, text in (("log.txt", lines), ("seed-3-T-01-Jan-at-00-00-00.log", autodl)):
        source = tmp_path / name.partition(".")[0] / name
        source.parent.mkdir()
        source.write_text("\n".join(text) + "\n")
        folder, _ = import_logs(find_importer(source), source, open_table("nasbench201"), tmp_path / "in")
        epochs = load_folder(folder).epochs
        assert epochs.set_index("epoch")[LEARNING_RATE].to_dict() == pytest.approx(
            {epoch + 1: rate for epoch, rate in enumerate(said)}
        )
        assert [what for what, _ in find_shifted_rates(epochs)] == ["the learning rate is shifted by an epoch"]
