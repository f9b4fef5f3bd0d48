"""The embedded table `nasbench201`: the benchmark's own numbers, all of them, and nothing beside them."""

import gzip
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.report.datasheet import measure_noise
from harness.results.load import open_named_table
from harness.results.runs import Runs
from harness.runs.study import load_study
from harness.spaces.nasbench201.cell import list_official_cells, parse_cell, to_string
from harness.spaces.nasbench201.size import count_flops, count_parameters
from harness.spaces.nasbench201.space import NASBench201
from harness.tables.catalog import open_table
from harness.tables.formats.official import read_member
from harness.tables.measure import Column, Cost, Measure
from harness.tables.table import Table
from harness.tables.write import verify, write_table
from tests.conftest import ROOT

COLLAPSE = 1835
CIFAR100, IMAGENET = Measure("cifar100", "x-test", 200), Measure("ImageNet16-120", "x-test", 200)
COLUMNS = {
    # column of the shared file: what it is of. Written anew here, so that the script's own list is checked too
    "cifar10valid_val_200": "cifar10-valid/x-valid@200:mean",
    "cifar10valid_test_200": "cifar10-valid/ori-test@200:mean",
    "cifar10_test_200": "cifar10/ori-test@200:mean",
    "cifar10_test_200_v10": "cifar10/ori-test@200:mean-nasbench201",
    "cifar100_test_200": "cifar100/x-test@200:mean",
    "imagenet16_test_200": "ImageNet16-120/x-test@200:mean",
    "cifar100_val_200_v10": "cifar100/x-valid@200:mean-nasbench201",
    "imagenet16_val_200_v10": "ImageNet16-120/x-valid@200:mean-nasbench201",
    "cifar10_val_12": "cifar10-valid/x-valid@12:mean",
    "cifar10_test_12": "cifar10/ori-test@12:mean",
    "cifar100_val_12": "cifar100/x-valid@12:mean",
    "cifar100_test_12": "cifar100/x-test@12:mean",
    "imagenet16_val_12": "ImageNet16-120/x-valid@12:mean",
    "imagenet16_test_12": "ImageNet16-120/x-test@12:mean",
}
NETWORKS = {"cifar10": (10, 32), "cifar100": (100, 32), "ImageNet16-120": (120, 16)}
SINGLE = {
    "cifar10valid_test_200_seed777": "cifar10-valid/ori-test@200:888",
    "cifar100_test_200_seed777": "cifar100/x-test@200:888",
    "imagenet16_test_200_seed777": "ImageNet16-120/x-test@200:888",
}
VALIDATION_TRIALS = {
    f"{short}_val_t{place}": f"{dataset}/x-valid@200:{seed}"
    for short, dataset in {
        "cifar10valid": "cifar10-valid",
        "cifar100": "cifar100",
        "imagenet16": "ImageNet16-120",
    }.items()
    for place, seed in enumerate((777, 888, 999))
}
FIRST = "ec9e34050e32e8ff40f4c80114aa32f8ff00c8eaaaac96a93031db1507176a39"
"""The fingerprint of the table until 1.0.0rc1."""


@pytest.fixture(scope="module")
def table() -> Table:
    found = open_table("nasbench201")
    assert found.folder.is_relative_to(ROOT)
    return found


@pytest.fixture(scope="module")
def frame(table: Table) -> pd.DataFrame:
    return table.to_frame()


def shared(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / "nasbench201" / name, index_col="index")


def call(*arguments: object) -> str:
    result = CliRunner().invoke(main, [str(a) for a in arguments])
    return result.stdout if result.exit_code == 0 else f"{result.exit_code}: {result.stderr}"


# -- the numbers ---------------------------------------------------------------------------------------------------


def test_every_value_is_the_published_one(frame: pd.DataFrame, shared_data: Path) -> None:
    """All 15,625 rows of every column, without tolerance: six decimals as they stand in the file."""
    given = shared(shared_data, "nb201_table.csv.gz")
    assert frame["architecture"].tolist() == given["arch_str"].tolist()
    for name, column in COLUMNS.items():
        np.testing.assert_array_equal(frame[column], given[name], err_msg=name)
    one = shared(shared_data, "nb201_seed777_test.csv.gz")
    for name, column in SINGLE.items():
        np.testing.assert_array_equal(frame[column], one[name].round(6), err_msg=name)
    trials = shared(shared_data, "nb201_valid_trials_200.csv.gz")
    for name, column in VALIDATION_TRIALS.items():
        np.testing.assert_array_equal(frame[column], trials[name], err_msg=name)
    accuracies = [c for c in frame if "@" in c and not c.endswith("latency_s")]
    assert sorted(accuracies) == sorted([*COLUMNS.values(), *SINGLE.values(), *VALIDATION_TRIALS.values()])


def test_every_training_has_its_seconds(table: Table, shared_data: Path) -> None:
    """So that searches of the table have its clock: seconds of the 200 epochs, and latency."""
    given = shared(shared_data, "nb201_valid_trials_200.csv.gz")
    for short, dataset in {
        "cifar10valid": "cifar10-valid",
        "cifar100": "cifar100",
        "imagenet16": "ImageNet16-120",
    }.items():
        measure = Measure(dataset, "x-valid", 200)
        assert table.timed(measure)
        seconds = table.vector(Measure(dataset, "train", 200), quantity="seconds")
        np.testing.assert_array_equal(seconds, given[f"{short}_train_time_s"])
        for index in (0, COLLAPSE, 15_624):
            assert table.training_seconds(index, measure) == given[f"{short}_train_time_s"][index]
            assert table.training_seconds(index, measure, at=100) == given[f"{short}_train_time_s"][index] / 2
            assert table.costs(index, dataset, 200)["latency_s"] == given[f"{short}_latency_s"][index]
    assert not table.timed(table.test)


def test_means_are_of_some_of_the_trials(table: Table, shared_data: Path) -> None:
    """What the data sheet says: in how many cells the published means are of all trials, and of some of them."""
    sheet = (table.folder / "DATASHEET.md").read_text().replace("\n", " ")
    assert "`cifar10-valid/x-valid@200` 13,207 and 15,625 of 15,625" in sheet
    assert "`cifar100/x-valid@200` 2,096 and 2,499 of 2,516" in sheet
    assert "`ImageNet16-120/x-valid@200` 2,103 and 2,508 of 2,516" in sheet
    third = shared(shared_data, "nb201_valid_trials_200.csv.gz")["cifar10valid_val_t2"]
    assert (third.notna().sum(), third.isna().sum()) == (8_169, 7_456)
    assert "three of 8,169 cells, two of 7,456" in sheet


# -- a part is not all -----------------------------------------------------------------------------------------------


def test_a_part_is_never_taken_for_all(table: Table) -> None:
    """The first version knows validation of CIFAR-100 of 2,516 cells, the newest its third trial of 8,169."""
    first, cifar100 = open_table(f"nasbench201@{FIRST}"), Measure("cifar100", "x-valid", 200)
    assert first.references(cifar100) == {}
    assert set(table.references(cifar100)) == {"table optimum", "random architecture (median)"}
    assert (table.knows_all(cifar100), table.knows_all(cifar100, 999), table.knows_all(cifar100, 888)) == (
        True,
        False,
        True,
    )
    told = call("tables", "info", first.name + "@" + FIRST[:8])
    assert "best of the 2,516 known of cifar100/x-valid@200: #9930 " in told
    assert "best of cifar10/ori-test@200: #6111 " in told
    rows = json.loads(call("tables", "lookup", "nasbench201", 1, "--format", "json"))
    ranks = {(r["measure"], r["trial"]): r["percentile"] for r in rows}
    assert ranks["cifar100/x-valid@200", 999] is None
    assert ranks["cifar100/x-valid@200", "mean-nasbench201"] is None
    assert ranks["cifar100/x-valid@200", 888] is not None


# -- versions ------------------------------------------------------------------------------------------------------


def test_the_first_version_is_still_there_bit_for_bit(table: Table, tmp_path: Path) -> None:
    """Written anew from what the newest table gives of it, it has the fingerprint that it had."""
    first = open_table(f"nasbench201@{FIRST[:8]}")
    assert (first.name, first.fingerprint, len(first.columns), len(first.all_costs)) == ("nasbench201", FIRST, 17, 35)
    again = write_table(
        tmp_path / "nasbench201",
        space="nasbench201",
        keys=[first.encoding(row) for row in range(len(first))],
        accuracy={c: first.row_values(c.measure, c.trial) for c in first.columns},
        costs=dict(first.all_costs),
        validation=first.validation,
        test=first.test,
        about={},
    )
    assert again.fingerprint == FIRST
    assert pickle.loads(pickle.dumps(first)).fingerprint == FIRST
    cifar100 = Measure("cifar100", "x-valid", 200)
    assert (first.knows_all(cifar100), table.knows_all(cifar100)) == (False, True)
    assert not first.timed(first.validation)
    assert verify(first) == []


def test_runs_are_read_in_the_version_that_they_were_looked_up_in() -> None:
    named = {"name": "nasbench201", "fingerprint": FIRST}
    assert open_named_table(named, "they").fingerprint == FIRST
    with pytest.raises(HarnessError, match="looked up in another version of table 'nasbench201'"):
        open_named_table(named | {"fingerprint": "0" * 64}, "they")
    with pytest.raises(HarnessError, match=r"has no single version '00': it has [0-9a-f]{12}, ec9e34050e32"):
        open_table("nasbench201@00")


def test_a_study_may_name_a_version(tmp_path: Path) -> None:
    """Its runs then have the ids that they had before."""
    text = """name = "s"
        space = "nasbench201"
        dataset = "digits"
        table = "{}"
        methods = ["random-search"]
        seeds = [0]
        epochs = 2"""
    described = []
    for name in ("nasbench201", f"nasbench201@{FIRST[:12]}"):
        path = tmp_path / "s.toml"
        path.write_text(text.format(name))
        described.append(load_study(path).runs[0].describe()["table"])
    assert described[1] == {"name": "nasbench201", "fingerprint": FIRST}
    assert described[0]["fingerprint"] == open_table("nasbench201").fingerprint != FIRST


def test_lookup_and_vector_are_the_frame(table: Table, frame: pd.DataFrame) -> None:
    assert (len(frame), list(frame.index)) == (15_625, list(range(15_625)))
    rows = table.rows(list(table.space.enumerate()))
    for column in table.columns:
        np.testing.assert_array_equal(table.row_values(column.measure, column.trial)[rows], frame[str(column)])
    for index in (0, 857, COLLAPSE, 15_624):
        for column in table.columns:
            for what in (index, np.int64(index), frame["architecture"][index], table.space.at(index)):
                ours = table.lookup(what, column.measure, column.trial)
                np.testing.assert_array_equal(ours, frame.loc[index, str(column)])


@pytest.mark.parametrize(
    ("measure", "index", "accuracy"),
    [
        ("cifar10/ori-test@200", 6111, 94.3733),
        ("cifar100/x-test@200", 9930, 73.5133),
        ("ImageNet16-120/x-test@200", 857, 47.3111),
        ("cifar10-valid/x-valid@200", 6111, 91.6067),
        ("cifar100/x-valid@200", 9930, 73.4933),
        ("ImageNet16-120/x-valid@200", 10_676, 46.7333),
    ],
)
def test_published_optima(table: Table, measure: str, index: int, accuracy: float) -> None:
    best = table.optimum(Measure.parse(measure))
    assert (table.index(best.row), best.encoding) == (index, to_string(list_official_cells()[index]))
    assert best.accuracy_pct == pytest.approx(accuracy, abs=5e-5)


def test_collapse_cell_and_judges(table: Table) -> None:
    assert (str(table.validation), str(table.test)) == ("cifar10-valid/x-valid@200", "cifar10/ori-test@200")
    found = [table.lookup(COLLAPSE, m) for m in (table.test, CIFAR100, IMAGENET, table.validation)]
    assert found == pytest.approx([54.2967, 15.6067, 16.3222, 39.7693], abs=5e-5)
    assert set(table.space.at(COLLAPSE).operations) == {"skip_connect"}
    assert table.percentile(COLLAPSE, table.test) < 3


def test_missing_stays_missing(table: Table) -> None:
    own = {
        Column(dataset, "x-valid", 200, "mean-nasbench201"): 15_625 - 2_516
        for dataset in ("cifar100", "ImageNet16-120")
    }
    third = {Column(d, "x-valid", 200, 999): 7_456 for d in ("cifar10-valid", "cifar100", "ImageNet16-120")}
    assert table.missing() == own | third
    assert np.isnan(table.lookup(0, "cifar100/x-valid@200", "mean-nasbench201"))
    assert not np.isnan(table.lookup(1, "cifar100/x-valid@200", "mean-nasbench201"))
    lacking = table.space.index(
        table.encoding(int(np.flatnonzero(np.isnan(table.row_values(table.validation, 999)))[0]))
    )
    two = table.lookup(lacking, "cifar100/x-valid@200", "all")
    assert np.isnan(two).tolist() == [False, False, True]
    assert table.lookup(lacking, "cifar100/x-valid@200") == two[:2].mean()


def test_recorded_searches_look_up_exactly(table: Table, shared_data: Path) -> None:
    """Other people's entries of NAS-Bench-201, as they recorded them, in every measure that both have."""
    with gzip.open(shared_data / "naslib_runs" / "arch_eval_2516.json.gz") as stream:
        entries = json.load(stream)
    assert len(entries) == 2_516
    same = [
        ("cifar10-valid", "valid_accuracy", "cifar10-valid/x-valid@200", "mean"),
        ("cifar10", "test_accuracy", "cifar10/ori-test@200", "mean-nasbench201"),
        ("cifar100", "valid_accuracy", "cifar100/x-valid@200", "mean-nasbench201"),
        ("ImageNet16-120", "valid_accuracy", "ImageNet16-120/x-valid@200", "mean-nasbench201"),
    ]
    for dataset, field, measure, trial in same:
        theirs = np.array([entry[dataset][field] for entry in entries.values()])
        ours = np.array([table.lookup(int(index), measure, trial) for index in entries])
        np.testing.assert_array_equal(ours, theirs.round(6))


def test_official_files_say_the_same(table: Table, shared_data: Path) -> None:
    """NATS-Bench's own files of three cells: its means, its trial 888 of tests (never 777's) and all three of
    validation, its 12 epochs, its sizes, its seconds."""
    for index in (0, 11, 284):
        path = shared_data / "nats_official" / "NATS-tss-v1_0-3ffb9-simple" / f"{index:06d}.pickle.pbz2"
        _, finals, _, costs = read_member(path)
        compared = 0
        for measure in table.measures:
            trials = {c.trial: v for (q, c), v in finals.items() if q == "accuracy" and c.measure == measure}
            assert table.lookup(index, measure) == pytest.approx(np.mean(list(trials.values())), abs=1e-6)
            for seed in table.seeds(measure):
                if measure.split == "x-valid":
                    assert table.lookup(index, measure, seed) == trials[seed]
                else:
                    assert table.lookup(index, measure, seed) == pytest.approx(trials[seed], abs=1e-6)
                    assert abs(table.lookup(index, measure, seed) - trials[777]) > 0.05
                compared += 1
            compared += 1
        assert compared == 13 + 3 + 9
        for dataset in ("cifar10-valid", "cifar100", "ImageNet16-120"):
            train = Measure(dataset, "train", 200)
            theirs = [v for (q, c), v in finals.items() if q == "seconds" and c.measure == train]
            assert table.lookup(index, train, quantity="seconds") == pytest.approx(np.mean(theirs), rel=1e-12)
        ours = {c: dict(table.all_costs)[c][table.row(index)] for c, _ in table.all_costs}
        for (dataset, epochs, name), value in costs.items():
            if name != "latency_s" or (epochs == 200 and dataset != "cifar10"):
                assert ours[Cost(dataset, None, name)] == pytest.approx(value, rel=1e-12)


# -- what cells cost -----------------------------------------------------------------------------------------------


def test_parameters_are_the_published_ones(frame: pd.DataFrame, shared_data: Path) -> None:
    given = shared(shared_data, "nb201_table.csv.gz")["params_MB"]
    ours = np.array([count_parameters(cell, 10) for cell in list_official_cells()])
    np.testing.assert_array_equal(frame["cifar10:parameters_M"], ours / 1e6)
    theirs = (given * 1e6).round().astype(int).to_numpy()
    differ = ours != theirs
    assert differ.sum() == 204
    # there the file has a mean over two or three trials of which some recorded a cell with one convolution more or less
    edges = [5 * sum(area * width**2 + 2 * width for width in (16, 32, 64)) for area in (1, 9)]
    shares = sorted(share * edge for edge in edges for share in (1 / 3, 1 / 2, 2 / 3))
    apart = np.abs(ours - theirs)[differ]
    assert all(min(abs(a - s) for s in shares) <= 1 for a in apart)


def test_sizes_of_the_collapse_cell() -> None:
    cell = list_official_cells()[COLLAPSE]
    assert (count_parameters(cell, 10), count_flops(cell, 10, 32)) == (73_306, 7_783_050)


def test_sizes_agree_with_recorded_ones(shared_data: Path) -> None:
    """2,516 entries, each on three data sets; in 39 the record is a mean with a wrong trial in it (see above)."""
    wrong = set()
    with gzip.open(shared_data / "naslib_runs" / "arch_eval_2516.json.gz") as stream:
        entries = json.load(stream)
    for index, entry in entries.items():
        cell = parse_cell(entry["arch"])
        for dataset, (classes, pixels) in NETWORKS.items():
            ours = [count_flops(cell, classes, pixels) / 1e6, count_parameters(cell, classes) / 1e6]
            if ours != pytest.approx([entry[dataset]["flop"], entry[dataset]["params (MB)"]], abs=2e-6):
                wrong.add(index)
    assert len(wrong) == 39
    given = shared(shared_data, "nb201_table.csv.gz")["params_MB"]
    known = {
        str(i)
        for i, cell in enumerate(list_official_cells())
        if abs(count_parameters(cell, 10) / 1e6 - given[i]) > 2e-6
    }
    assert wrong <= known


def test_latency_and_energy_are_hw_nas_bench_s(frame: pd.DataFrame, shared_data: Path) -> None:
    given = shared(shared_data, "nb201_hardware.csv.gz")
    checked = 0
    for short, dataset in {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16": "ImageNet16-120"}.items():
        for name in [c for c in given if c.startswith(f"{short}_") and not c.endswith("intensity")]:
            _, device, what = name.split("_")
            ours = frame[f"{dataset}:{device}_{what}_{ {'latency': 'ms', 'energy': 'mJ'}[what] }"]
            np.testing.assert_array_equal(ours, given[name].where(given[name] >= 0))
            checked += 1
    assert checked == 27
    assert frame["cifar10:edgetpu_latency_ms"].isna().sum() == 4_699


def test_help_s_27_devices_are_costs(table: Table, shared_data: Path) -> None:
    """Four of them are HW-NAS-Bench's own values of CIFAR-10, which have more digits; they stay those."""
    costs = dict(table.all_costs)
    rows = table.rows(list(table.space.enumerate()))
    with np.load(shared_data / "nasbench201" / "nb201_help_latency_ms.npz") as devices:
        assert len(devices) == 27
        for device in devices:
            ours = costs[Cost("cifar10", None, f"{device}_latency_ms")][rows]
            known = device in ("raspi4", "pixel3", "eyeriss", "fpga")
            np.testing.assert_allclose(ours, devices[device], rtol=0, atol=1e-5 if known else 0)


def test_costs_by_data_set(table: Table) -> None:
    sizes = {"flops_M": 7.78305, "parameters_M": 0.073306}
    assert table.costs(COLLAPSE, "cifar10-valid") == pytest.approx(sizes | {"latency_s": 0.007144981308987266})
    assert table.costs(COLLAPSE, "cifar100")["edgegpu_energy_mJ"] == 15.76594
    assert table.costs(COLLAPSE, "cifar10", 200) == table.costs(COLLAPSE, "cifar10")
    assert table.costs(COLLAPSE, "svhn") == {}


# -- means beside single trials ------------------------------------------------------------------------------------


def test_a_mean_is_no_trial(table: Table) -> None:
    assert table.trials(CIFAR100) == ["mean", 888]
    assert table.seeds(CIFAR100) == [888]
    assert table.seeds(table.test) == []
    assert table.lookup(COLLAPSE, CIFAR100, "all").tolist() == [15.62]
    assert table.lookup(COLLAPSE, table.test, "all").shape == (0,)
    assert table.vector_all(CIFAR100).shape == (1, 15_625)
    assert table.lookup(0, CIFAR100) == 52.913333  # the source's mean, not its mean with trial 888 (53.68)
    assert table.random_median(CIFAR100) == np.median(table.row_values(CIFAR100, "mean"))
    assert "trial_sd" not in measure_noise(table, CIFAR100)  # one trial: no spread between trials is told
    with pytest.raises(HarnessError, match=r"no trial 777 of cifar100/x-test@200: it has \['mean', 888\]"):
        table.lookup(0, CIFAR100, 777)


def test_the_distance_from_a_mean_to_its_trial_is_no_noise() -> None:
    """Results looked up in a measure with a mean and one trial have the mean alone, and an unknown noise."""
    table = open_table("nasbench201")
    table.test = CIFAR100
    place = {"method": "a", "seed": 0, "epoch": 0}
    epochs = [{**place, "seed": seed, "architecture": table.space.at(seed).encoding} for seed in (0, 11)]
    lookups = [
        {
            **row,
            "dataset": c.dataset,
            "split": c.split,
            "table_epochs": c.epochs,
            "trial": str(c.trial),
            "accuracy_pct": v,
        }
        for row in epochs
        for c, v in table.all_values(row["seed"])
    ]
    lookups = pd.DataFrame(lookups).drop(columns="architecture")
    timing = pd.DataFrame([{**row, "wall_s": 1.0} for row in epochs])
    results = Runs(pd.DataFrame(epochs), lookups, timing, table)
    expected = {row["architecture"]: 100 - table.lookup(row["seed"], CIFAR100) for row in epochs}
    assert results.errors()["error_pct"].tolist() == list(expected.values())
    assert np.isnan(results.endpoints().noise)


def test_a_mean_that_is_missing_is_not_made_of_seeds(tmp_path: Path) -> None:
    keys = [to_string(c) for c in list_official_cells()[:2]]
    values = {"mean": [np.nan, 4.0], "mean-old": [5.0, 6.0], 1: [2.0, 8.0], 2: [3.0, 9.0]}
    measure = Measure("d", "test", 1)
    accuracy = {Column(*measure, t): np.array(v) for t, v in values.items()}
    table = write_table(
        tmp_path / "t", space="nasbench201", keys=keys, accuracy=accuracy, validation=None, test=measure, about={}
    )
    assert np.isnan(table.lookup(keys[0], measure))
    assert table.lookup(keys[0], measure, "mean-old") == 5
    assert table.lookup(keys[1], measure, "all").tolist() == [8, 9]
    del accuracy[Column(*measure, "mean")]
    table = write_table(
        tmp_path / "t", space="nasbench201", keys=keys, accuracy=accuracy, validation=None, test=measure, about={}
    )
    assert [table.lookup(k, measure) for k in keys] == [2.5, 8.5]
    assert sorted(table.row_values(measure)) == [2.5, 8.5]


# -- naming what is asked for --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "measure", "message"),
    [
        (15_625, "cifar10/ori-test@200", r"there is no architecture 15625 in nasbench201: its indices are 0\.\.15624"),
        (-1, "cifar10/ori-test@200", r"there is no architecture -1 in nasbench201"),
        ("|none~0|", "cifar10/ori-test@200", "is no NAS-Bench-201 architecture: write it as"),
        (0, "cifar10", "'cifar10' is no measure: write dataset/split@epochs, such as cifar10-valid/x-valid@200"),
        (0, "cifar10/ori-test", "is no measure: write dataset/split@epochs"),
        (0, ("cifar10", "ori-test"), "is no measure: write dataset/split@epochs"),
        (0, "cifar10/x-valid@200", "table nasbench201 has no cifar10/x-valid@200: did you mean"),
        (0, "cifar100/ori-test@200", "table nasbench201 has no cifar100/ori-test@200"),
    ],
)
def test_bad_questions_are_answered_by_a_sentence(table: Table, what: object, measure: object, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        table.lookup(what, measure)  # type: ignore[arg-type]


def test_the_command_line_knows_indices_and_costs() -> None:
    text = to_string(list_official_cells()[COLLAPSE])
    by_index = call("tables", "lookup", "nasbench201", COLLAPSE, "--format", "json")
    assert by_index == call("tables", "lookup", "nasbench201", text, "--format", "json")
    test = next(r for r in json.loads(by_index) if r["measure"] == "cifar10/ori-test@200")
    assert test == {"measure": "cifar10/ori-test@200", "trial": "mean", "accuracy_pct": 54.2967, "percentile": 2.52}
    costs = json.loads(call("tables", "lookup", "nasbench201", COLLAPSE, "--costs", "--format", "json"))
    assert costs[0] == {
        "cost": "flops_M", "cifar10-valid": 7.78305, "cifar10": 7.78305, "cifar100": 7.7889, "ImageNet16-120": 1.9534,
    }  # fmt: skip
    shown = call("tables", "lookup", "nasbench201", COLLAPSE)
    assert "54.2967" in shown
    assert "edgegpu_energy_mJ" in shown
    told = call("tables", "lookup", "nasbench201", 15_625)
    assert told == "2: error: there is no architecture 15625 in nasbench201: its indices are 0..15624\n"
    listed = call("tables", "info", "nasbench201")
    assert f"best of cifar10/ori-test@200: #6111 {to_string(list_official_cells()[6111])}\n" in listed
    assert "\n  of the same value, 94.3733: #13714\n" in listed
    assert "licence: MIT" in listed


def test_a_space_without_published_indices_says_so() -> None:
    told = call("tables", "lookup", "nasbench1shot1.s1.digits", 3)
    assert told == "2: error: architectures of nasbench1shot1.s1 have no published index: write 3 as an encoding\n"
    frame = open_table("nasbench1shot1.s1.digits").to_frame()
    assert list(frame)[:2] == ["architecture", "digits100/x-valid@4:0"]
    assert len(frame) == 2_685


def test_a_table_without_a_space_is_asked_by_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path))
    measure = Measure("cifar10", "test", 108)
    write_table(
        tmp_path / "tables" / "keyed",
        space=None,
        keys=["00ff", "0123"],
        accuracy={Column(*measure, 0): np.array([90.5, 91.5])},
        costs={Cost("cifar10", 108, "parameters_M"): np.array([1.5, 2.5])},
        validation=None,
        test=measure,
        about={},
    )
    (row,) = json.loads(call("tables", "lookup", "keyed", "0123", "--format", "json"))
    assert row["accuracy_pct"] == 91.5
    assert call("tables", "lookup", "keyed", "0124") == "2: error: table keyed does not hold '0124'\n"
    frame = open_table("keyed").to_frame().set_index("architecture")
    assert frame.loc["00ff"].to_dict() == {"cifar10/test@108:0": 90.5, "cifar10@108:parameters_M": 1.5}


# -- the file, and what is known of published rows ------------------------------------------------------------------


def test_the_script_gives_the_same_bytes(table: Table, shared_data: Path, tmp_path: Path) -> None:
    script = ROOT / "tools" / "embed_nasbench201.py"
    arguments = [script, shared_data / "nasbench201", "--to", tmp_path / "nasbench201"]
    subprocess.run([sys.executable, *map(str, arguments)], check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})
    for path in sorted((tmp_path / "nasbench201").iterdir()):
        if path.suffix != ".png" and path.name != "croissant.json":  # these are made by tools/republish.py
            assert (table.folder / path.name).read_bytes() == path.read_bytes(), path.name
    assert verify(table) == []


def test_it_stays_small_in_a_wheel(table: Table, tmp_path: Path) -> None:
    packed = Path(shutil.make_archive(str(tmp_path / "t"), "zip", table.folder))
    assert packed.stat().st_size < 5_000_000


@pytest.mark.parametrize(
    ("measure", "cells", "mean", "std"),
    [
        (CIFAR100, (3521, 3521, 12_830), 61.26, 4.43),
        (CIFAR100, (12_669, 561, 2057), 60.49, 4.95),
        (IMAGENET, (12_686, 12_686, 4771), 37.88, 2.91),
        (IMAGENET, (1728, 1728, 1728), 26.06, 0.0),
        (Measure("cifar10", "ori-test", 200), (COLLAPSE,) * 6, 54.30, 0.0),
    ],
)
def test_nats_bench_s_darts_rows_are_means_of_cells(
    table: Table, measure: Measure, cells: tuple[int, ...], mean: float, std: float
) -> None:
    """NATS-Bench's DARTS rows are the means of the cells that its searches ended at; the deviations divide by n."""
    values = np.array([table.lookup(cell, measure) for cell in cells])
    assert round(values.mean(), 2) == mean
    assert round(values.std(ddof=0), 2) == std
    if std:
        assert round(values.std(ddof=1), 2) != std


def test_the_space_counts_as_the_file_does(nasbench201_rows: list[dict[str, str]]) -> None:
    space = NASBench201()
    assert [space.index(row["arch_str"]) for row in nasbench201_rows] == list(range(space.size))
