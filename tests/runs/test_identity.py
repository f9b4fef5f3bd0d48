"""What a finished run says about itself, and what readers make of it."""

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.core.devices import assign_devices
from harness.core.errors import HarnessError
from harness.results.load import load_folder
from harness.results.provenance import describe_left_out, list_provenance
from harness.runs.execute import find_damaged, plan, run_all
from harness.runs.lease import Held, Lease, identify_machine
from harness.runs.manifest import DamagedError
from harness.runs.study import RECORD_FORMAT, compute_run_id, load_study
from harness.search.regularizers.base import REGULARIZERS
from tests.conftest import ROOT


@pytest.fixture
def finished(small_study: Path, tmp_path: Path):  # type: ignore[no-untyped-def]
    planned = plan(load_study(small_study, ['methods=["random-search"]', "epochs=1"], "0"), tmp_path / "out")
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None]
    return planned[0]


PINNED = json.loads((Path(__file__).parent / "pinned.json").read_text())


@pytest.mark.parametrize("space", PINNED)
def test_pinned_rows_of_this_record_format(space: str, small_study: Path, tmp_path: Path) -> None:
    """Raise RECORD_FORMAT when these change; one space of each family of networks. Losses are not compared to the last
    bit: those are the machine's."""
    assert RECORD_FORMAT == 2
    settings = [f'space="{space}"', 'methods=["darts"]', *PINNED[space]["settings"]]
    (p,) = plan(load_study(small_study, settings, "0"), tmp_path)
    assert [o.error for o in run_all([p], "cpu", 1)] == [None]
    epochs = p.folder.tables()["epochs"]
    assert epochs["architecture"].tolist() == PINNED[space]["architecture"]
    assert epochs["train_loss"][1:].tolist() == pytest.approx(PINNED[space]["train_loss"], abs=1e-4)


IDS = {
    "darts": "b90db3827ab0",
    "sdarts-rs": "a96679aaefae",
    "sdarts-adv": "abd30ab723cd",
    "pc-darts": "4f6e7762bc2f",
    "darts-minus": "0f81705a66ae",
    "beta-darts": "8e90505e2cf6",
    "random-search": "b74f32975e58",
    "gdas + amended-darts": "5eccc4dce934",
}


def test_pinned_ids(small_study: Path) -> None:
    """Runs that were computed stay runs of the same configuration. Where a part's rows change, raise its `revision`; a
    new field is one of its `later` ones (CONTRIBUTING)."""
    runs = load_study(small_study, [f"methods={json.dumps([*IDS])}"], "0").runs
    assert {r.method_name: r.id for r in runs} == IDS


def test_an_id_is_of_the_whole_configuration_whatever_else_was_computed(small_study: Path) -> None:
    """Seeds share what they have in common; a run that is changed afterwards shares nothing."""
    settings = ['methods=["darts", "random-search"]', 'probes=["discretisation"]', 'judge="last"']
    runs = load_study(small_study, settings, "3,0..2,11").runs
    assert [r.seed for r in runs[::2]] == [3, 0, 1, 2, 11]
    assert len({r.id for r in runs}) == len(runs)
    changed = [replace(r, epochs=r.epochs + 1) for r in runs]
    assert not {r.id for r in changed} & {r.id for r in runs}
    assert [r.id for r in (*runs, *changed)] == [compute_run_id(r.describe()) for r in (*runs, *changed)]


def test_a_revision_makes_other_runs_of_its_part_alone(small_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cls = REGULARIZERS.find("adversarial")
    monkeypatch.setattr(cls, "revision", 2)
    runs = load_study(small_study, [f"methods={json.dumps([*IDS])}"], "0").runs
    assert [r.method_name for r in runs if r.id != IDS[r.method_name]] == ["sdarts-adv"]
    assert [r.describe()["method"]["adversarial"]["revision"] for r in runs if r.method_name == "sdarts-adv"] == [2]


def test_a_later_field_tells_only_when_it_is_set(small_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(REGULARIZERS.find("adversarial"), "later", ("steps",))
    usual, other = load_study(
        small_study, ['methods={sdarts-adv = {}, more = {method = "sdarts-adv", adversarial = {steps = 8}}}'], "0"
    ).runs
    assert "steps" not in usual.describe()["method"]["adversarial"]
    assert other.describe()["method"]["adversarial"]["steps"] == 8


@pytest.mark.parametrize("name", ["epochs.parquet", "lookups.parquet", "timing.parquet", "manifest.json"])
@pytest.mark.parametrize("how", ["flipped", "short", "empty", "gone"])
def test_damage_is_named(finished, name: str, how: str) -> None:  # type: ignore[no-untyped-def]
    path = finished.folder.final / name
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"flipped": flipped, "short": content[:middle], "empty": b""}[how])
    assert str(path) in find_damaged([finished])[finished.run.folder_name]
    with pytest.raises(DamagedError, match="harness run --recompute-damaged computes it again"):
        finished.folder.tables()
    finished.folder.set_aside()
    assert [o.error for o in run_all([finished], "cpu", 1)] == [None]
    assert find_damaged([finished]) == {}


def test_runs_of_an_older_format_are_left_out_and_named(finished) -> None:  # type: ignore[no-untyped-def]
    old = finished.folder.final.with_name("darts_seed0_0123456789ab")
    shutil.copytree(finished.folder.final, old)
    manifest = json.loads((old / "manifest.json").read_text())
    manifest = {k: v for k, v in manifest.items() if k not in ("record_format", "files", "sha256")}
    manifest["configuration"]["format"] = 1
    (old / "manifest.json").write_text(json.dumps(manifest))
    (sentence,) = describe_left_out(old.parent, [finished.run.folder_name])
    assert sentence.startswith(f"1 run of an older record format (1) is left out: delete {old}, or read it with")
    mixture = [manifest, finished.folder.manifest()]
    with pytest.raises(HarnessError, match="mixes runs of several record formats"):
        list_provenance(mixture, "x")
    assert list_provenance([manifest], "x") == ["record format 1, older than this version's 2"]


def test_what_is_mixed_is_said(finished) -> None:  # type: ignore[no-untyped-def]
    ours = finished.folder.manifest()
    other = json.loads(json.dumps(ours))
    other["environment"] |= {"device_class": "cuda (X)", "harness": "9.9"}
    told = list_provenance([ours, other, other], "x")
    assert told[0].startswith("1 run on cpu (") and told[0].endswith("), 2 on cuda (X)")
    assert "2 by harness 9.9" in told[1]


def test_published_results_name_their_format() -> None:
    assert load_folder(ROOT / "results/published/digits-1shot1").provenance == [
        "record format 1, older than this version's 2"
    ]


def test_an_unexpected_exception_ends_its_run_alone(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.runs import run as module

    real = module.start
    monkeypatch.setattr(module, "start", lambda r, d: 1 / 0 if r.method_name == "darts" else real(r, d))
    planned = plan(load_study(small_study, ["epochs=1"], "0"), tmp_path)
    outcomes = list(run_all(planned, "cpu", 1))
    assert [o.error is None for o in outcomes] == [False, True, True, True]
    assert outcomes[0].error == (
        f"ZeroDivisionError: division by zero; its traceback is in {planned[0].folder.error_file}"
    )
    assert "Traceback" in planned[0].folder.error_file.read_text()
    assert planned[0].state == "failed, see error.txt; not begun"


def test_a_lease_is_held_once_and_freed_by_death(tmp_path: Path) -> None:
    path = tmp_path / "leases" / "r"
    with Lease(path).held():
        assert Lease(path).holder() is not None
        with pytest.raises(Held, match="is computing it"), Lease(path).held():
            pass
    assert Lease(path).holder() is None
    code = f"""
import os
from pathlib import Path
from harness.runs.lease import Lease
with Lease(Path({str(path)!r})).held(): os._exit(9)
"""
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 9
    assert path.exists()
    with Lease(path).held():  # the dead hold nothing
        pass


def test_a_lease_in_the_future_holds_no_longer_than_one_may(tmp_path: Path) -> None:
    """The clock was set back, and the host that held it is dead."""
    path = tmp_path / "r"
    path.write_text(json.dumps({"token": "t", "host": "other", "machine": "other", "pid": 7, "began": "1"}))
    now = path.stat().st_mtime
    for apart, held in ((0, True), (60, True), (-60, True), (3600, False), (-3600, False)):
        os.utime(path, (now + apart, now + apart))
        assert (Lease(path).holder() == "pid 7 on other") == held
    with Lease(path).held():
        assert not Lease(path).damaged


@pytest.mark.parametrize("pid", ["x", None, 1.5, [], -1, 0, True, 10**30])
@pytest.mark.parametrize("here", [True, False])
def test_a_damaged_lease_is_none_and_told(small_study: Path, tmp_path: Path, pid: object, here: bool) -> None:
    (planned,) = plan(load_study(small_study, ['methods=["random-search"]'], "0"), tmp_path)
    planned.folder.open()
    lease = planned.folder.lease()
    lease.path.parent.mkdir()
    where = identify_machine() if here else "other"
    lease.path.write_text(json.dumps({"token": "t", "host": "h", "machine": where, "pid": pid, "began": "1"}))
    assert lease.holder() is None
    told = "its lease is damaged, and holds nothing; not begun"
    assert planned.state == (told if type(pid) is not int else "not begun")
    with lease.held():
        assert planned.state == f"running, epoch 0 of 2, pid {os.getpid()} on {platform.node()}"
    assert planned.state == "not begun"


def test_states_of_a_run(small_study: Path, tmp_path: Path) -> None:
    """What is computed now, and what nobody computes, are told apart."""
    (planned,) = plan(load_study(small_study, ['methods=["random-search"]', "epochs=20"], "0"), tmp_path)
    assert planned.state == "not begun"
    planned.folder.open()
    planned.folder.save_progress({"recorded": 7, "epochs": 21, "steps": 0, "steps_per_epoch": 3, "wall_s": 1.0})
    assert planned.state == "interrupted after epoch 6; the same command goes on"
    with planned.folder.lease().held():
        assert planned.state.startswith("running, epoch 7 of 20, pid ")
    planned.folder.save_error("it failed")
    assert planned.state == "failed, see error.txt; interrupted after epoch 6; the same command goes on"
    (planned.folder.running / "progress.json").write_text('{"recorded": 1e400, "steps": "x"}')
    assert planned.state == "failed, see error.txt; not begun"


def test_a_lease_that_was_taken_over_is_noticed(tmp_path: Path) -> None:
    lease = Lease(tmp_path / "r")
    with lease.held():
        lease.check()
        (tmp_path / "r").write_text(json.dumps({"token": "another"}))
        with pytest.raises(Held, match="has"):
            lease.check()
    assert (tmp_path / "r").exists(), "it is not ours to remove"


def test_places(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert assign_devices("cuda:0..2", None, 2) == ["cuda:0", "cuda:1", "cuda:2"] * 2
    assert assign_devices("cuda:all", 5, None) == ["cuda:0", "cuda:1", "cuda:2", "cuda:3", "cuda:0"]
    assert assign_devices("cuda:1,3", None, None) == ["cuda:1", "cuda:3"]
    with pytest.raises(HarnessError, match="device 'cuda:4' is not there: this machine has 4 CUDA devices"):
        assign_devices("cuda:2..4", None, None)
    with pytest.raises(HarnessError, match="jobs=9 is more than jobs_per_device=2 on 4 devices: leave one out"):
        assign_devices("cuda:all", 9, 2)


def test_rows_are_readable_without_this_package(finished) -> None:  # type: ignore[no-untyped-def]
    assert len(pd.read_parquet(finished.folder.final / "epochs.parquet")) == 2
