"""Our DARTS search beside a public one on NAS-Bench-201, epoch by epoch: a figure (PNG) and its numbers (CSV).

    python benchmarks/published/reference_figure.py RUNS benchmarks/published/reference-log.csv reference

RUNS: the folder of our runs (that of the study, or of one run), or a run that is not finished, whose checkpoint is read
up to its last epoch. The log's facts are committed as reference-log.csv: what is drawn of the log of seed 0 in
AI-Tech-Research-Lab/AsquaredM@5a303f9 (accuracies in %, after so many epochs; mean softmax of skip over the edges).
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import harness
from harness.core.errors import HarnessError
from harness.spaces.base import search_space
from harness.verdicts.claims.kinds.at_epoch import compute_weight

SPACE, SKIP, EDGES = "nasbench201", "skip_connect", 6
PANELS = {
    "skip_weight": "mean softmax of skip",
    "skips": "skips in the derived cell",
    "train_loss": "training loss",
    "train_accuracy": "training accuracy (%)",
    "validation_accuracy": "validation accuracy (%)",
}


def public_log(path: Path) -> pd.DataFrame:
    """epoch, and the panels' columns. Takes the extract that is committed, or the whole log that it was made of."""
    log = pd.read_csv(path)
    if "epochs_done_before" not in log:
        return log
    space = search_space(SPACE)
    before = log["epochs_done_before"]
    weight = log[[f"softmax_e{e}_skip" for e in range(EDGES)]].mean(axis=1)
    after = pd.DataFrame(
        {
            "epoch": before + 1,
            "skips": [space.at(int(i)).operations.count(SKIP) for i in log["derived_after_index"]],
            "train_loss": log["train_loss"],
            "train_accuracy": log["train_acc"],
            "validation_accuracy": log["valid_acc"],
        }
    )
    logits = pd.DataFrame({"epoch": before, "skip_weight": weight.round(5)})
    return logits.merge(after, on="epoch", how="outer").sort_values("epoch").reset_index(drop=True)


def rows_of(folder: Path) -> list[dict[str, Any]]:
    """The rows of every epoch of our runs; of one that is not finished, those that its checkpoint holds."""
    try:
        return harness.load(folder).epochs.to_dict("records")
    except HarnessError:
        import torch

        kept = sorted(folder.rglob("checkpoint.pt"))
        if not kept:
            raise
        content = torch.load(kept[0], weights_only=True)
        rows = content["rows"]
        return json.loads(rows)["epochs"] if isinstance(rows, str) else rows["epochs"]


def our_run(folder: Path) -> pd.DataFrame:
    """epoch, and the panels' columns that a search here records."""
    space = search_space(SPACE)
    return pd.DataFrame(
        {
            "epoch": r["epoch"],
            "skip_weight": compute_weight(space, np.asarray(r["alphas"]), SKIP),
            "skips": r[f"count_{SKIP}"],
            "train_loss": r["train_loss"],
            "validation_accuracy": r["supernet_accuracy_pct"],
        }
        for r in rows_of(folder)
    )


def draw(both: pd.DataFrame, to: Path) -> None:
    """A panel a quantity, epochs up to ours and one more on the left, all of theirs on the right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    ours = int(both.loc[both["run"] == "ours", "epoch"].max())
    figure, axes = plt.subplots(2, len(PANELS), figsize=(3.2 * len(PANELS), 5.2), constrained_layout=True)
    for row, last in zip(axes, (ours + 1, int(both["epoch"].max())), strict=True):
        for ax, (column, title) in zip(row, PANELS.items(), strict=True):
            for run, style in (("public", "k.-"), ("ours", "C1o-")):
                part = both[(both["run"] == run) & (both["epoch"] <= last)].dropna(subset=[column])
                if len(part):
                    ax.plot(part["epoch"], part[column], style, label=run, markersize=4 if run == "public" else 6)
            ax.set_title(title, fontsize=9)
            ax.set_xlabel(f"epochs done, up to {last}", fontsize=8)
            ax.tick_params(labelsize=8)
    axes[0][0].legend(fontsize=8)
    figure.savefig(to, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=Path, help="the folder of our runs")
    parser.add_argument("log", type=Path, help="the public log, or its extract")
    parser.add_argument("to", type=Path, help="name of the figure, without an ending")
    asked = parser.parse_args()
    try:
        ours = our_run(asked.runs)
    except HarnessError as error:
        parser.error(str(error))
    both = pd.concat([public_log(asked.log).assign(run="public"), ours.assign(run="ours")], ignore_index=True)
    both = both[["run", "epoch", *PANELS]]
    both.round(5).to_csv(asked.to.with_suffix(".csv"), index=False)
    draw(both, asked.to.with_suffix(".png"))
    print(both[both["epoch"] <= ours["epoch"].max()].to_string(index=False))


if __name__ == "__main__":
    main()
