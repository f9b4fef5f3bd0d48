"""NAS-Bench-201's official files: every number that the official packages return, from every form of the files."""

import bz2
import copy
import io
import os
import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nats_bench
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from nas_201_api import NASBench201API

from harness.cli.listing import list_measures
from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.spaces.nasbench201.cell import list_official_cells, to_string
from harness.tables.formats.nasbench201 import convert_nasbench201
from harness.tables.formats.nats import read_entry
from harness.tables.formats.official import read_stream
from harness.tables.measure import Measure
from harness.tables.table import Table

INDICES = (0, 11, 284)
SCHEDULES = {"12": 12, "200": 200}
SPLITS = {
    "cifar10-valid": {"valid": "x-valid", "test": "ori-test"},
    "cifar10": {"test": "ori-test"},
    "cifar100": {"valid": "x-valid", "test": "x-test", "valtest": "ori-test"},
    "ImageNet16-120": {"valid": "x-valid", "test": "x-test", "valtest": "ori-test"},
}


@pytest.fixture(scope="session")
def archive(shared_data: Path) -> Path:
    return shared_data / "nats_official" / "NATS-tss-v1_0-3ffb9-simple"


@pytest.fixture(scope="session")
def contents(archive: Path) -> dict[int, Any]:
    return {i: pickle.loads(bz2.decompress((archive / f"{i:06d}.pickle.pbz2").read_bytes())) for i in INDICES}


def convert(source: Path, folder: Path) -> Table:
    return convert_nasbench201(
        source, folder, work=folder.with_suffix(".work"), about={"title": "t"}, jobs=2, say=lambda _: None
    )


@pytest.fixture(scope="session")
def table(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Table:
    return convert(archive, tmp_path_factory.mktemp("nats") / "tss")


def official_dict(contents: dict[int, Any]) -> dict[str, Any]:
    """The layout of the .pth files."""
    return {
        "meta_archs": [to_string(c) for c in list_official_cells()],
        "arch2infos": {i: {"less": c["12"], "full": c["200"]} for i, c in contents.items()},
        "evaluated_indexes": set(contents),
    }


def old_api(contents: dict[int, Any]) -> NASBench201API:
    return NASBench201API(official_dict(contents), verbose=False)


def new_api(archive: Path) -> Any:
    return nats_bench.create(str(archive), "tss", fast_mode=True, verbose=False)


@pytest.fixture(scope="session", params=["nats_bench", "nas-bench-201"])
def api(request: pytest.FixtureRequest, archive: Path, contents: dict[int, Any]) -> Any:
    return new_api(archive) if request.param == "nats_bench" else old_api(contents)


def queries(contents: dict[int, Any]) -> Iterator[tuple[int, str, str, int]]:
    for index, content in contents.items():
        for hp in SCHEDULES:
            for dataset, seeds in content[hp]["dataset_seed"].items():
                for seed in seeds:
                    yield index, hp, dataset, seed


def check(table: Table, index: int, hp: str, dataset: str, trial: Any, at: int | None, info: dict[str, Any]) -> int:
    """Compare one answer of the official API with the table; how many numbers were compared."""
    cell = table.space.parse(to_string(list_official_cells()[index]))
    epochs, compared = SCHEDULES[hp], 0
    reached = at or epochs
    for kind, split in {"train": "train", **SPLITS[dataset]}.items():
        for field, quantity in (("accuracy", "accuracy"), ("loss", "loss")):
            theirs = info.get(f"{kind}-{field}")
            try:
                ours = table.lookup(cell, (dataset, split, epochs), trial, at=at, quantity=quantity)  # type: ignore[arg-type]
            except HarnessError:
                assert theirs is None and at is not None  # no curve of this split, as the API says too
                continue
            if at is None:
                assert ours == pytest.approx(theirs, rel=1e-15)
            else:  # curves are kept in float32
                assert np.float32(ours) == np.float32(theirs)
            compared += 1
        seconds = info.get(f"{kind}-all-time")
        if seconds is not None:
            ours = table.lookup(cell, (dataset, split, epochs), trial, quantity="seconds")
            share = reached / epochs if kind == "train" else reached
            assert ours * share == pytest.approx(seconds, rel=1e-12)
            assert info[f"{kind}-per-time"] * (epochs if kind == "train" else 1) == pytest.approx(ours, rel=1e-12)
            compared += 2
    return compared


def test_every_trial_and_epoch(table: Table, api: Any, contents: dict[int, Any]) -> None:
    compared = 0
    for index, hp, dataset, seed in queries(contents):
        for at in (*range(1, SCHEDULES[hp] + 1), None):
            info = api.get_more_info(index, dataset, iepoch=None if at is None else at - 1, hp=hp, is_random=seed)
            compared += check(table, index, hp, dataset, seed, at, info)
    assert compared > 50_000


def test_means_over_trials(table: Table, api: Any) -> None:
    for index in INDICES:
        for hp in SCHEDULES:
            for dataset in SPLITS:
                info = api.get_more_info(index, dataset, hp=hp, is_random=False)
                assert check(table, index, hp, dataset, "mean", None, info) >= 8


def test_costs(table: Table, api: Any, contents: dict[int, Any]) -> None:
    for index in INDICES:
        cell = table.space.parse(to_string(list_official_cells()[index]))
        for hp, epochs in SCHEDULES.items():
            for dataset in SPLITS:
                cost = api.get_cost_info(index, dataset, hp=hp)
                ours = table.costs(cell, dataset, epochs)
                for name, theirs in (("flops_M", "flops"), ("parameters_M", "params"), ("latency_s", "latency")):
                    assert ours[name] == pytest.approx(cost[theirs], rel=1e-12)
                total = table.lookup(cell, (dataset, "train", epochs), quantity="seconds")
                assert total == pytest.approx(cost["T-train@total"], rel=1e-12)


def test_simulated_cost_of_a_query(table: Table, archive: Path) -> None:
    """`simulate_train_eval` draws a trial; times are equal for all of them, so its cost is ours."""
    api = new_api(archive)
    for index in INDICES:
        cell = table.space.parse(to_string(list_official_cells()[index]))
        for at in (1, 7, 12):
            _, _, seconds, _ = api.simulate_train_eval(index, "cifar10", iepoch=at - 1, hp="12")
            measure = next(m for m in table.measures if str(m) == "cifar10-valid/x-valid@12")
            assert table.training_seconds(cell, measure, at=at) == pytest.approx(seconds, rel=1e-12)


def test_schedules_are_never_mixed(table: Table) -> None:
    cell = table.space.parse(to_string(list_official_cells()[11]))
    short, long = (table.lookup(cell, ("cifar10", "ori-test", e), 111 if e == 12 else 777) for e in (12, 200))
    assert short != long
    with pytest.raises(HarnessError, match=r"epoch 13 is not on the curve of cifar10/ori-test@12: choose 1\.\.12"):
        table.lookup(cell, "cifar10/ori-test@12", at=13)
    with pytest.raises(HarnessError, match=r"has no trial 777 of cifar10/ori-test@12: it has \[111\]"):
        table.lookup(cell, "cifar10/ori-test@12", 777)


def test_missing_trials_are_counted_and_not_imputed(contents: dict[int, Any], tmp_path: Path) -> None:
    less = {hp: dict(state) for hp, state in contents[0].items()}
    kept = {k: v for k, v in less["200"]["all_results"].items() if k != ("cifar10", 888)}
    less["200"] |= {"all_results": kept}
    table = convert(single_pickle(tmp_path / "less.pickle.pbz2", contents | {0: less}), tmp_path / "t")
    cell = table.space.parse(to_string(list_official_cells()[0]))
    all_trials = table.lookup(cell, "cifar10/ori-test@200", "all")
    assert np.isnan(all_trials).tolist() == [False, True, False]
    assert np.isnan(table.lookup(cell, "cifar10/ori-test@200", 888))
    assert table.lookup(cell, "cifar10/ori-test@200") == (all_trials[0] + all_trials[2]) / 2
    rows = {row["measure"]: row for row in list_measures(table)}
    assert rows["cifar10/ori-test@200"]["missing by trial"] == "888: 1"
    assert rows["cifar10/ori-test@200"]["missing"] == table.absent == 15_625 - 3  # the rest of the space
    assert rows["cifar100/x-test@200"]["missing by trial"] == ""


def test_roles_of_splits(table: Table) -> None:
    roles = {f"{m.dataset}/{m.split}": table.role(m) for m in table.measures}
    assert roles["cifar10-valid/x-valid"] == "validation"
    assert roles["cifar10/ori-test"] == roles["cifar100/x-test"] == "test"
    assert roles["cifar100/ori-test"] == roles["ImageNet16-120/ori-test"] == "validation+test"
    assert roles["cifar10/train"] == "train"


def test_lookups_draw_no_random_number(table: Table) -> None:
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # type: ignore[index]
    cell = table.space.parse(to_string(list_official_cells()[11]))
    answers = {table.lookup(cell, "cifar10/ori-test@200") for _ in range(5)}
    assert len(answers) == 1
    assert before == (random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist())  # type: ignore[index]


def repeated(archive: Path, count: int) -> dict[int, Any]:
    """Copies of the three real entries under the first `count` indices."""
    three = [bz2.decompress((archive / f"{i:06d}.pickle.pbz2").read_bytes()) for i in INDICES]
    names = [to_string(c) for c in list_official_cells()]
    return {
        i: {k: v | {"arch_index": i, "arch_str": names[i]} for k, v in pickle.loads(three[i % 3]).items()}
        for i in range(count)
    }


# -- every form of the file gives the same table ---------------------------------------------------------------------


def pth(path: Path, contents: dict[int, Any], *, legacy: bool) -> Path:
    """Saved by torch.save through the official classes, as the published files were."""
    from nas_201_api.api_utils import ArchResults

    whole = official_dict(contents)
    whole["arch2infos"] = {
        i: {k: ArchResults.create_from_state_dict(v).state_dict() for k, v in info.items()}
        for i, info in whole["arch2infos"].items()
    }
    torch.save(whole, path, _use_new_zipfile_serialization=not legacy)
    return path


def single_pickle(path: Path, contents: dict[int, Any]) -> Path:
    whole = official_dict(contents) | {"arch2infos": contents, "total_archs": 15_625}
    path.write_bytes(bz2.compress(pickle.dumps(whole, protocol=4)))
    return path


@pytest.mark.parametrize("form", ["NATS-tss-v1_0-3ffb9.pickle.pbz2", "v1_1-zip.pth", "v1_0-legacy.pth"])
def test_every_form_gives_the_same_table(form: str, table: Table, contents: dict[int, Any], tmp_path: Path) -> None:
    path = tmp_path / form
    source = single_pickle(path, contents) if form.endswith("pbz2") else pth(path, contents, legacy="legacy" in form)
    assert convert(source, tmp_path / "t").fingerprint == table.fingerprint


def test_official_order_is_checked(contents: dict[int, Any], tmp_path: Path) -> None:
    moved = dict(contents[11])
    moved = {k: v | {"arch_index": 12} for k, v in moved.items()}
    source = single_pickle(tmp_path / "a.pickle.pbz2", {12: moved})
    with pytest.raises(HarnessError, match=r"architecture 12 of it is '.*', which is not the official one"):
        convert(source, tmp_path / "t")


def test_architectures_without_trainings_are_refused_and_those_without_curves_taken(
    contents: dict[int, Any], tmp_path: Path
) -> None:
    def of(results: dict[Any, Any], name: str) -> Path:
        entry = {k: v | {"all_results": copy.deepcopy(results)} for k, v in contents[11].items()}
        return single_pickle(tmp_path / f"{name}.pickle.pbz2", {11: entry})

    with pytest.raises(HarnessError, match="holds no accuracy: none of its architectures was trained"):
        convert(of({}, "none"), tmp_path / "none")
    result = {"epochs": 1, "flop": 1.0, "params": 1.0, "latency": []}
    result |= {"train_acc1es": {0: 20.5}, "train_losses": {0: 2.0}, "train_times": {0: 1.0}}
    result |= {"eval_acc1es": {"ori-test@0": 10.5}, "eval_losses": {"ori-test@0": 2.0}, "eval_times": {}}
    found = convert(of({("cifar10", 777): result}, "short"), tmp_path / "short")
    assert found.row_values(Measure("cifar10", "ori-test", 1), 777).tolist() == [10.5]


def test_size_space_is_refused(shared_data: Path, tmp_path: Path) -> None:
    folder = shared_data / "nats_official" / "NATS-sss-v1_0-50262-simple"
    with pytest.raises(HarnessError, match="of NATS-Bench's size space"):
        convert(folder, tmp_path / "t")


# -- safety ----------------------------------------------------------------------------------------------------------


class Evil:
    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return os.mkdir, ("pwned",)


@pytest.mark.parametrize("form", ["archive", "a.pickle.pbz2", "zip.pth", "legacy.pth"])
def test_a_pickle_that_runs_code_is_refused(
    form: str, contents: dict[int, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    bad = {11: {k: dict(v, clear_net_done=Evil()) for k, v in contents[11].items()}}
    source = tmp_path / form
    if form == "archive":
        source.mkdir()
        (source / "000011.pickle.pbz2").write_bytes(bz2.compress(pickle.dumps(bad[11])))
    elif form.endswith("pbz2"):
        single_pickle(source, bad)
    else:
        torch.save(official_dict(bad), source, _use_new_zipfile_serialization="zip" in form)
    with pytest.raises(HarnessError, match=r"is refused: it asks for posix\.mkdir.*nothing of it was run"):
        convert(source, tmp_path / "t")
    assert not (tmp_path / "pwned").exists()
    assert not (tmp_path / "t").exists()


def test_numpy_objects_are_refused(tmp_path: Path) -> None:
    from harness.core.pickles import NUMPY, load

    for value in (np.array([None]), np.zeros(2, dtype=[("a", "f8")]), np.array(["text"])):
        with pytest.raises(HarnessError, match="only numbers are admitted"):
            load(io.BytesIO(pickle.dumps(value)), "x.pkl", NUMPY)
    kept = load(io.BytesIO(pickle.dumps((np.float64(1.5), np.arange(6).reshape(2, 3)))), "x.pkl", NUMPY)
    assert kept[0] == 1.5
    np.testing.assert_array_equal(np.asarray(kept[1]), np.arange(6).reshape(2, 3))


@pytest.mark.parametrize("form", ["a.pickle.pbz2", "zip.pth", "legacy.pth"])
def test_truncated_files_are_named(form: str, contents: dict[int, Any], tmp_path: Path) -> None:
    path = tmp_path / form
    whole = single_pickle(path, contents) if form.endswith("pbz2") else pth(path, contents, legacy="legacy" in form)
    for share in (0.1, 0.5, 0.999):
        cut = tmp_path / f"cut-{share}-{form}"
        cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
        with pytest.raises(HarnessError, match=r"is damaged, truncated or no pickle|does not begin as torch\.save"):
            convert(cut, tmp_path / "t")
        assert not (tmp_path / "t").exists()


# -- fuzzing ---------------------------------------------------------------------------------------------------------


def small_entry(contents: dict[int, Any]) -> dict[str, Any]:
    """A real entry with one training of twelve epochs: a file short enough to be read a thousand times."""
    state = contents[11]["12"]
    kept = {k: v for k, v in state["all_results"].items() if k == ("cifar10", 111)}
    return {"12": state | {"all_results": kept}}


@pytest.mark.parametrize("form", ["raw.pickle.pbz2", "zip.pth", "legacy.pth"])
def test_fuzzed_files_give_a_sentence_or_right_numbers(form: str, contents: dict[int, Any], tmp_path: Path) -> None:
    """Where a format has a checksum nothing wrong gets in; where it has none, no more than a changed number does, and
    none that cannot be (the published hash, where there is one, is for that)."""
    entry = small_entry(contents)
    whole = official_dict({}) | {"meta_archs": [], "arch2infos": {11: entry}}
    path = tmp_path / form
    if form.endswith("pbz2"):
        path.write_bytes(bz2.compress(pickle.dumps(whole, protocol=4)))
    else:
        torch.save(whole, path, _use_new_zipfile_serialization="zip" in form)
    right: list[Any] = []
    read_stream(path, lambda content: right.append(read_entry(content)))
    rng, original = random.Random(2), path.read_bytes()
    sentences = 0
    for _ in range(1000):
        path.write_bytes(mutated(original, rng))
        got: list[Any] = []
        try:
            read_stream(path, lambda content, got=got: got.append(read_entry(content)))
        except HarnessError as error:
            sentences += 1
            assert str(error)
            continue
        if form != "legacy.pth":
            assert str(got) == str(right)
        for _, finals, _, _ in got:
            assert all(0 <= v <= 100 for (quantity, _), v in finals.items() if quantity == "accuracy")
    assert sentences > (300 if form == "legacy.pth" else 900)


def mutated(content: bytes, rng: random.Random) -> bytes:
    """One to three bytes changed, removed or added."""
    out = bytearray(content)
    for _ in range(rng.choice((1, 1, 3))):
        place = rng.randrange(len(out))
        kind = rng.randrange(3)
        if kind == 0:
            out[place] ^= rng.randrange(1, 256)
        elif kind == 1:
            del out[place : place + rng.randrange(1, 20)]
        else:
            out[place:place] = rng.randbytes(rng.randrange(1, 20))
    return bytes(out)


# -- verify --against ------------------------------------------------------------------------------------------------


def verify(table: Table, path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["tables", "verify", str(table.folder), "--against", str(path), *options])


@pytest.mark.parametrize("form", ["archive", "NATS-tss-v1_0-3ffb9.pickle.pbz2", "v1_1-zip.pth", "v1_0-legacy.pth"])
def test_a_table_is_held_against_the_official_package(
    form: str, archive: Path, table: Table, contents: dict[int, Any], tmp_path: Path
) -> None:
    path = tmp_path / form
    if form == "archive":
        path = archive
    elif form.endswith("pbz2"):
        single_pickle(path, contents)
    else:
        pth(path, contents, legacy="legacy" in form)
    done = verify(table, path)
    assert (done.exit_code, done.stderr) == (0, "")
    assert "582 numbers of all 3 architectures beside the package's of" in done.stdout
    assert done.stdout.endswith(": all the same\n")


def test_the_first_number_that_differs_is_named(
    archive: Path, table: Table, contents: dict[int, Any], tmp_path: Path
) -> None:
    wrong = copy.deepcopy(contents)
    result = wrong[284]["200"]["all_results"]["cifar100", 777]
    result["eval_acc1es"]["x-test@199"] += 1e-6
    other = convert(single_pickle(tmp_path / "wrong.pickle.pbz2", wrong), tmp_path / "wrong")
    done = verify(other, archive)
    assert done.exit_code == 1
    assert "2 differ, the first is architecture 284, cifar100, 200 epochs, x-test, trial 777, accuracy: " in done.stdout
    sampled = verify(other, archive, "--sample", "1")
    assert "numbers of 1 of 3 architectures" in sampled.stdout
    assert verify(other, archive, "--sample", "1").stdout == sampled.stdout  # the same ones again


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--against", "FILE"], "--against holds one table against one file: name the table"),
        (["nasbench201.digits", "--sample", "3"], "--sample is of --against FILE"),
        (["nasbench201.digits", "--against", "TIDY"], "no official package reads"),
        (["nasbench201.digits", "--against", "BROKEN"], "the official package cannot read"),
    ],
)
def test_what_cannot_be_held_against_is_said(words: list[str], message: str, tmp_path: Path) -> None:
    files = {"FILE": "a.pth", "TIDY": "a.csv", "BROKEN": "b.pth"}
    for name in files.values():
        (tmp_path / name).write_text("arch,dataset\n")
    given = [str(tmp_path / files[word]) if word in files else word for word in words]
    done = CliRunner().invoke(main, ["tables", "verify", *given])
    assert done.exit_code == 2 and message in done.stderr, done.output
