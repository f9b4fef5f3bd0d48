"""Import the public searches of RobustDARTS: every epoch's cell, losses, accuracy and Hessian eigenvalues.

    python tools/publish_robustdarts.py FOLDER EIGENVALUES.json [--to results/public-logs]

FOLDER holds searches.csv.gz and genotypes_per_epoch.csv.gz, taken from the logs of automl/RobustDARTS@3dec3fe
(Apache-2.0); EIGENVALUES.json the largest and smallest eigenvalues of the Hessians beside them. In its folders 2497xxx
the columns of errors hold accuracies (`harness audit` finds it by their losses); they are read as such here.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import pandas as pd

from harness.results.importers.base import find_importer, import_logs
from harness.spaces.base import SPACES

KEYS = ["space", "dataset", "drop_path", "weight_decay", "seed", "epoch"]
ACCURACIES = "2497"
"""How the numbers of folders begin whose errors are accuracies."""


def genotype(normal: str, reduce: str) -> str:
    """A genotype as DARTS prints it, of two cells written op:input;op:input ..."""
    normal, reduce = (
        str([(op, int(source)) for op, source in (edge.split(":") for edge in cell.split(";"))])
        for cell in (normal, reduce)
    )
    return f"Genotype(normal={normal}, normal_concat=range(2, 6), reduce={reduce}, reduce_concat=range(2, 6))"


def tidy(folder: Path, eigenvalues: Path) -> pd.DataFrame:
    """A row an epoch, as `harness import csv` reads it, with the column `space`. Epochs count from 1: all that they
    hold was measured after the epoch's training."""
    cells, rows = (pd.read_csv(folder / name) for name in ("genotypes_per_epoch.csv.gz", "searches.csv.gz"))
    for frame in (cells, rows):  # one setting has a seed twice, in the same order in both
        frame["time"] = frame.groupby(KEYS).cumcount()
    rows = rows.merge(cells, on=[*KEYS, "time"], validate="one_to_one")
    number = rows["folder"].str.rsplit("-", n=1).str[1]
    setting = [
        f"weight_decay={w:g} drop_path={d:g}" for w, d in zip(rows["weight_decay"], rows["drop_path"], strict=True)
    ]
    rows["method"] = setting
    first = rows.groupby(["space", "method", "seed"])["folder"].transform("first")
    again = first != rows["folder"]  # the same seed once more
    rows.loc[again, "method"] += " again (" + number[again] + ")"
    exchanged = number.str.startswith(ACCURACIES)
    rows["accuracy"] = rows["valid_error"].where(exchanged, 100 - rows["valid_error"])
    rows["arch"] = [genotype(n, r) for n, r in zip(rows["normal"], rows["reduce"], strict=True)]
    last = rows.dropna(subset="final_genotype")
    if len(last) == 0 or (last["arch"] != last["final_genotype"]).any():
        raise SystemExit(f"{folder}: the last cell of some search is not the one that its log ends with")
    measured = pd.DataFrame(
        [
            {"run": run["run"], "epoch": epoch, "hessian_largest": largest, "hessian_smallest": smallest}
            for run in json.loads(eigenvalues.read_text())
            for epoch, largest, smallest in zip(
                run["epochs"], run["max_eigenvalue"], run["min_eigenvalue"], strict=True
            )
        ]
    )
    rows["run"] = [
        f"{s}/{d}/{f}/derivatives_{n}.json" for s, d, f, n in rows[["space", "dataset", "folder", "seed"]].to_numpy()
    ]
    found = rows.merge(measured, on=["run", "epoch"], how="left", validate="one_to_one")
    if found["hessian_largest"].notna().sum() != len(measured):
        raise SystemExit(f"{eigenvalues} has eigenvalues of epochs that {folder} does not")
    found["epoch"] += 1
    columns = ["space", "method", "seed", "epoch", "arch", "train_loss", "valid_loss", "accuracy"]
    return found[[*columns, "hessian_largest", "hessian_smallest"]].rename(columns={"train_loss": "loss"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("eigenvalues", type=Path)
    parser.add_argument("--to", type=Path, default=Path("results/public-logs"))
    asked = parser.parse_args()
    rows = tidy(asked.folder, asked.eigenvalues)
    with tempfile.TemporaryDirectory() as temporary:
        for space, own in rows.groupby("space"):
            source = Path(temporary) / f"robustdarts-{space}.csv"
            own.drop(columns="space").to_csv(source, index=False)
            to, told = import_logs(
                find_importer(source), source, None, asked.to, space=SPACES.find(f"darts.{space}")(), replace_older=True
            )
            print(to, *told, sep="\n")


if __name__ == "__main__":
    main()
