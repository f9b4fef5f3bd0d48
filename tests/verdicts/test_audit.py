"""What is suspicious in logs: real ones of others, and real ones of ours that are damaged here as theirs are."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.report.build import build
from harness.results.importers.base import find_importer, import_logs
from harness.results.load import load_folder
from harness.results.runs import Runs
from harness.spaces.base import SPACES
from harness.tables.catalog import open_table
from harness.verdicts.audit import EXCHANGED, Finding, audit
from tests.conftest import ROOT

KEYS = ["space", "dataset", "drop_path", "weight_decay", "seed", "epoch"]
OURS = ROOT / "results" / "published" / "cifar10-8"


def genotype(normal: str, reduce: str) -> str:
    def pairs(text: str) -> list[tuple[str, int]]:
        return [(name, int(place)) for name, place in (part.split(":") for part in text.split(";"))]

    return (
        f"Genotype(normal={pairs(normal)}, normal_concat=range(2, 6), "
        f"reduce={pairs(reduce)}, reduce_concat=range(2, 6))"
    )


@pytest.fixture(scope="module")
def robust(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Runs]:
    """The 211 public searches of RobustDARTS, by space; the error column read as errors, as it says."""
    folder = tmp_path_factory.mktemp("robust")
    source = shared_data / "robustdarts_runs"
    rows = pd.read_csv(source / "searches.csv.gz")
    cells = pd.read_csv(source / "genotypes_per_epoch.csv.gz").drop_duplicates(KEYS)
    rows = rows.merge(cells, on=KEYS)
    found = {}
    for name, own in rows.groupby("space"):
        log = pd.DataFrame(
            {
                "method": own["folder"],
                "seed": own["seed"],
                "epoch": own["epoch"] + 1,
                "arch": [genotype(n, r) for n, r in zip(own["normal"], own["reduce"], strict=True)],
                "loss": own["train_loss"],
                "valid_loss": own["valid_loss"],
                "accuracy": 100 - own["valid_error"],
            }
        )
        path = folder / f"{name}.csv"
        log.to_csv(path, index=False)
        to, _ = import_logs(find_importer(path), path, None, folder / "in", space=SPACES.find(f"darts.{name}")())
        found[str(name)] = load_folder(to)
    return found


def public_search(shared_data: Path, folder: Path, name: str, columns: str) -> Runs:
    """A public search of NAS-Bench-201 with its mixing weights. columns: how those of its file begin."""
    (path,) = (shared_data / "reference_runs").glob(f"{name}_*.csv")
    rows = pd.read_csv(path)
    weights = np.log(rows[[c for c in rows if c.startswith(columns) and c[len(columns)].isdigit()]])
    log = pd.DataFrame(
        {
            "epoch": rows.iloc[:, 0] + 1,
            "arch": rows["derived_after_index"],
            "loss": rows["train_loss"],
            "valid_loss": rows["valid_loss"],
            "accuracy": rows["valid_acc"],
            "alphas": [" ".join(f"{v:.6f}" for v in row) for row in weights.to_numpy()],
            "learning_rate": rows["lr"] if "lr" in rows else rows["learning_rate"],
        }
    )
    log.to_csv(folder / f"{name}.csv", index=False)
    source = folder / f"{name}.csv"
    to, _ = import_logs(find_importer(source), source, open_table("nasbench201"), folder / "in", method=name, seed=0)
    return load_folder(to)


def told(found: list[Finding]) -> list[tuple[str, str]]:
    return [(f.what, f.sure) for f in found]


# -- what others published -----------------------------------------------------------------------------------------


def test_a2m_never_moves_its_weights_and_darts_decides_at_once(shared_data: Path, tmp_path: Path) -> None:
    a2m = audit(public_search(shared_data, tmp_path, "a2m", "e"))
    rates = ("the printed learning rates are not those used", "certain")
    assert told(a2m) == [("the architecture is not searched", "certain"), rates, ("none is in front", "certain")]
    assert "no mixing weight moves by more than 2.4e-04 in 50 epochs" in a2m[0].evidence
    printed, darts = audit(public_search(shared_data, tmp_path, "darts", "softmax_e"))
    assert (printed.what, printed.sure) == rates
    assert printed.evidence.endswith("in epoch 51 of training 0.0126345 is printed, 0.013 was used")
    assert (darts.what, darts.sure) == ("the derived cell never changes", "possible")
    assert "the same from epoch 1 to 100: |skip_connect~0|" in darts.evidence


def test_robustdarts_accuracies_in_the_errors_column(robust: dict[str, Runs]) -> None:
    """They are in the folders 2497xxx. All of these are found but those whose networks are dead, and no other run."""
    runs, exchanged, dead = set(), set(), set()
    for results in robust.values():
        runs |= set(results.epochs[["method", "seed"]].itertuples(index=False, name=None))
        found = audit(results)
        exchanged |= {(f.method, f.seed) for f in found if f.what == EXCHANGED}
        dead |= {(f.method, f.seed) for f in found if f.what == "the network does not learn"}
    assert len(runs) == 211
    wrong = {run for run in runs if "-2497" in run[0]}
    assert (len(wrong), len(exchanged)) == (143, 109)
    assert exchanged < wrong
    assert wrong - exchanged <= dead
    assert len(wrong - exchanged) == 34
    certain = [f for r in robust.values() for f in audit(r) if f.what == EXCHANGED and f.sure == "certain"]
    assert len(certain) == 46
    assert "after epoch 50 accuracy 14.96 %, loss 0.438, which allows 63.1 % errors at most" in certain[0].evidence


def test_naslib_s_pc_darts_does_not_learn(shared_data: Path) -> None:
    """All eight searches with partial channels end with a higher training loss than after the first epoch."""
    found = audit(load_folder(ROOT / "results" / "public-logs" / "naslib-one-shot"))
    assert {f.what for f in found} == {"the network does not learn"}
    assert sorted({f.method for f in found}) == ["PCDARTS", "SDARTSPCDARTS"]
    assert len(found) == 8


# -- our own, as they are and damaged --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ours() -> Runs:
    return load_folder(OURS)


def with_run(results: Runs, rows: pd.DataFrame) -> Runs:
    return replace(results, epochs=rows)


def one(ours: Runs) -> pd.DataFrame:
    rows = ours.epochs
    return rows[(rows["method"] == "darts") & (rows["seed"] == 0)].reset_index(drop=True)


def test_our_own_runs_are_no_copies(ours: Runs) -> None:
    """Methods with one seed begin alike, by design; that is not told."""
    found = {f.what for f in audit(ours)}
    assert found == {"none is in front", "the derived cell never changes", "the network does not learn"}


def test_copies_of_a_run_are_told(ours: Runs) -> None:
    run = one(ours)
    copy = audit(with_run(ours, pd.concat([run, run.assign(seed=7)])))
    assert [(f.seed, f.what, f.sure) for f in copy] == [(7, "two runs are one", "certain")]
    assert copy[0].evidence == (
        "losses and accuracies of 13 of 13 epochs are equal to the last digit to those of darts, seed 0"
    )
    forked = run.assign(seed=7)
    forked.loc[5:, "train_loss"] += 1e-6
    (begins,) = audit(with_run(ours, pd.concat([run, forked])))
    assert begins.what == "two runs begin as one"
    assert "of 5 of 13 epochs" in begins.evidence


def test_lost_and_doubled_epochs_are_told(ours: Runs) -> None:
    run = one(ours)
    (lost,) = audit(with_run(ours, run.drop(index=[4, 5])))
    assert (lost.what, lost.evidence) == ("epochs are lost", "2 of them, from 3 to 6")
    doubled = run.copy()
    values = ["train_loss", "search_valid_loss", "supernet_accuracy_pct"]
    doubled.loc[6, values] = doubled.loc[5, values]
    (twice,) = audit(with_run(ours, doubled))
    assert (twice.what, twice.sure) == ("epochs are doubled", "likely")
    assert twice.evidence == "1 have all numbers of the one before: 6"


def test_accuracies_of_the_table_are_told(ours: Runs) -> None:
    run = one(ours)
    asked = ours.lookups
    asked = asked[(asked["method"] == "darts") & (asked["seed"] == 0) & (asked["split"] == "ori-test")]
    asked = asked[(asked["dataset"] == "cifar10") & (asked["table_epochs"] == 200) & (asked["trial"] == "mean")]
    values = asked.set_index("epoch")["accuracy_pct"]
    taken = run.assign(supernet_accuracy_pct=run["epoch"].map(values), search_valid_loss=np.nan)
    (found,) = [f for f in audit(with_run(ours, taken)) if "table" in f.what]
    assert found.evidence.startswith("cifar10/ori-test@200, trial mean")
    assert found.evidence.endswith("of the derived cell, in 100 % of the epochs")


def test_another_phase_and_a_falling_accuracy_are_told(ours: Runs) -> None:
    run = one(ours)
    longer = pd.concat([run, run.iloc[1:].assign(epoch=run["epoch"].iloc[1:] + 12)], ignore_index=True)
    loss = np.linspace(2.0, 0.5, len(longer))
    accuracy = np.concatenate([np.linspace(30, 60, 10), np.linspace(59, 40, len(longer) - 10)])
    falls = longer.assign(train_loss=loss, supernet_accuracy_pct=accuracy, search_valid_loss=np.nan)
    (found,) = [f for f in audit(with_run(ours, falls)) if "falls" in f.what]
    assert found.evidence.startswith("from 60.00 % after epoch 9 by 17.")
    leaps = loss.copy()
    leaps[15:] += 1.0
    (found,) = [f for f in audit(with_run(ours, falls.assign(train_loss=leaps))) if "phase" in f.what]
    assert "after epoch 14" in found.evidence


# -- how it reads --------------------------------------------------------------------------------------------------


def test_the_command_and_the_report_tell_it(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["audit", str(OURS), "--format", "csv"])
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("method,seed,finding,sure,evidence\n")
    assert "sdarts-rs,0,none is in front,certain,after epoch 12 it has the largest weight in 1 of 6 choices\n" in (
        result.stdout
    )
    assert result.stderr.endswith("14 findings about 14 of 70 runs\n")
    page = build(load_folder(OURS), tmp_path / "report.html").read_text()
    assert "Suspicious in the logs: 14" in page
    assert "after epoch 12 it has the largest weight in 1 of 6 choices" in page


def test_runs_without_accuracies_are_audited_too() -> None:
    """Language models have a perplexity."""
    results = load_folder(ROOT / "results" / "published" / "digits")
    other = replace(results, epochs=results.epochs.drop(columns="supernet_accuracy_pct"))
    assert [f.what for f in audit(other)] == [f.what for f in audit(results)]
