"""`harness tables add`, `fetch` and `verify`: every kind of file, once, safely, and every refusal in a sentence."""

import hashlib
import http.server
import json
import os
import pickle
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from harness.core.errors import HarnessError
from harness.spaces.nasbench201.space import NASBench201
from harness.tables.catalog import list_table_folders, open_table
from harness.tables.formats import nasbench201 as convert
from harness.tables.measure import Measure
from harness.tables.sources import download as fetch
from harness.tables.sources import published as sources
from harness.tables.sources.add import add_table
from harness.tables.sources.source import TableSource
from harness.tables.write import verify

TEXT = "|nor_conv_3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|"
OTHER = "|nor_conv_1x1~0|+|none~0|none~1|+|none~0|none~1|none~2|"


@pytest.fixture(autouse=True)
def cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch-home"))
    return tmp_path / "cache"


@pytest.fixture
def archive(shared_data: Path) -> Path:
    return shared_data / "nats_official" / "NATS-tss-v1_0-3ffb9-simple"


def rows(**changes: Any) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "arch": [TEXT, OTHER],
            "dataset": "d",
            "split": "test",
            "epochs": 3,
            "trial": [0, 0],
            "accuracy": [55.5, 44.25],
        }
    )
    return frame.assign(**changes)


def command(*arguments: object, **settings: Any) -> "subprocess.Popen[str]":
    words = [sys.executable, "-m", "harness", *map(str, arguments)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


# -- what can be added -----------------------------------------------------------------------------------------------


def test_archive_folder_gets_its_official_name(archive: Path) -> None:
    (table,) = add_table(str(archive))
    assert table.name == "nasbench201.nats-v1_0"
    about = table.info["about"]
    assert about["licence"] == "MIT"
    assert "NATS-Bench" in about["citation"]
    assert about["sha256_is"] == "none is published to compare with"
    assert len(about["source_sha256"]) == 64
    assert open_table("nasbench201.nats-v1_0").fingerprint == table.fingerprint
    assert verify(table) == []


def test_md5_in_the_name_is_compared(archive: Path, tmp_path: Path) -> None:
    from tests.tables.test_nats import repeated, single_pickle

    source = single_pickle(tmp_path / "a.pickle.pbz2", repeated(archive, 3))
    said: list[str] = []
    for begin, about in ((hashlib.md5(source.read_bytes()).hexdigest()[:5], "agrees"), ("3ffb9", "does not agree")):
        named = source.rename(tmp_path / f"NATS-tss-v1_0-{begin}.pickle.pbz2")
        (table,) = add_table(str(named), name=f"t-{begin}", say=said.append)
        assert table.info["about"]["md5_in_its_name"].startswith(about)
        source = named
    assert [s for s in said if s.startswith("warning: the MD5 in the name of NATS-tss-v1_0-3ffb9")]


def test_torch_home_is_searched(archive: Path, tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="get it by 'harness tables fetch nats-tss', or give its path"):
        add_table("nats-tss")
    shutil.copytree(archive, tmp_path / "torch-home" / archive.name)
    (table,) = add_table("nats-tss")
    assert len(table) == 3


def test_parquet_and_csv_give_the_same_table(tmp_path: Path) -> None:
    rows().to_csv(tmp_path / "a.csv", index=False)
    rows().to_parquet(tmp_path / "a.parquet")
    prints = []
    for name in ("a.csv", "a.parquet"):
        (table,) = add_table(str(tmp_path / name), name=name.replace(".", "-"), space="nasbench201")
        prints.append(table.fingerprint)
        assert table.lookup(NASBench201().parse(TEXT), "d/test@3", 0) == 55.5
    assert prints[0] == prints[1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"accuracy": [55.5, 101.0]}, r"a\.parquet, row 2: accuracy = 101(\.0)? is outside 0\.\.100 %"),
        ({"accuracy": [None, 1.0]}, r"row 1: accuracy = nan is outside"),
        ({"trial": [0.5, 0]}, r"row 1: trial = '0\.5' is neither a seed nor 'mean'"),
        ({"arch": "|x~0|"}, "row 1: .* is no NAS-Bench-201 architecture"),
    ],
)
def test_parquet_rows_are_validated(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    rows(**change).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(HarnessError, match=message):
        add_table(str(tmp_path / "a.parquet"), name="a", space="nasbench201")
    assert "a" not in list_table_folders()


def test_a_test_measure_cannot_select(tmp_path: Path) -> None:
    both = pd.concat([rows(), rows(split="x-valid")])
    both.to_csv(tmp_path / "a.csv", index=False)
    test, valid = Measure("d", "test", 3), Measure("d", "x-valid", 3)
    settings: dict[str, Any] = {"name": "a", "space": "nasbench201"}
    with pytest.raises(HarnessError, match="d/test@3 is a test measure and cannot be the validation measure"):
        add_table(str(tmp_path / "a.csv"), test=test, validation=test, **settings)
    with pytest.raises(HarnessError, match="d/x-valid@3 is a validation measure and cannot be the test measure"):
        add_table(str(tmp_path / "a.csv"), test=valid, **settings)
    (table,) = add_table(str(tmp_path / "a.csv"), test=test, validation=valid, **settings)
    assert (table.role(test), table.role(valid)) == ("test", "validation")


# -- what cannot -----------------------------------------------------------------------------------------------------


def test_refusals_teach(tmp_path: Path, archive: Path) -> None:
    rows().to_csv(tmp_path / "a.csv", index=False)
    (tmp_path / "x.zip").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "NATS-tss-v1_0-3ffb9-simple.tar").write_bytes(b"")
    (tmp_path / "nasbench_only108.tfrecord").write_bytes(b"other")
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("nowhere", {}, "there is no file nowhere, and no source of that name"),
        ("nats-ts", {}, "did you mean 'nats-tss'"),
        ("a.csv", {}, "give the table's --name and its --space"),
        ("a.csv", {"name": "a/b", "space": "nasbench201"}, "'a/b' cannot name a table"),
        ("a.csv", {"name": "a", "space": "nasbench20"}, "did you mean 'nasbench201'"),
        ("x.zip", {}, "is nothing that can be added: .*a NATS-Bench archive folder"),
        ("empty", {}, r"holds no NNNNNN\.pickle\.pbz2"),
        ("NATS-tss-v1_0-3ffb9-simple.tar", {}, "unpack it, tar xf"),
        ("nasbench_only108.tfrecord", {}, r"is not the published file of that name: its SHA-256 is .* 4c39c3936e36"),
        (str(archive), {"space": "nasbench201"}, "are for tidy files"),
    ]
    for what, settings, message in wrong:
        path = tmp_path / what
        with pytest.raises(HarnessError, match=message):
            add_table(str(path) if path.exists() else what, **settings)
    assert list_table_folders().keys() == {"nasbench1shot1.s1.digits", "nasbench201", "nasbench201.digits"}


def test_a_table_is_not_replaced_unasked(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    settings: dict[str, Any] = {"name": "a", "space": "nasbench201"}
    said: list[str] = []
    rows().to_csv(path, index=False)
    (first,) = add_table(str(path), **settings)
    (again,) = add_table(str(path), **settings, say=said.append)
    assert (again.fingerprint, said[-1]) == (first.fingerprint, "a is there already, from the same file")
    rows(accuracy=[1.0, 2.0]).to_csv(path, index=False)
    with pytest.raises(HarnessError, match=r"there is another table a, from a\.csv: choose another --name"):
        add_table(str(path), **settings)
    (new,) = add_table(str(path), **settings, replace=True)
    assert new.fingerprint != first.fingerprint


# -- at once, killed, changed ------------------------------------------------------------------------------------------


def test_two_adds_at_once(archive: Path, cache: Path) -> None:
    both = [command("tables", "add", archive) for _ in range(2)]
    for process in both:
        out, error = process.communicate(timeout=120)
        assert process.returncode == 0, error
        assert "nasbench201.nats-v1_0: 3 of 15,625 architectures, 55 columns" in out
    assert verify(open_table("nasbench201.nats-v1_0")) == []
    assert {p.name for p in (cache / "tables").iterdir()} == {".locks", "nasbench201.nats-v1_0"}


def test_killed_halfway_leaves_no_table_and_goes_on(archive: Path, cache: Path, tmp_path: Path) -> None:
    from tests.tables.test_nats import repeated, single_pickle

    source = single_pickle(tmp_path / "many.pickle.pbz2", repeated(archive, 40))
    work = cache / "tables" / ".many.work"
    process = command("tables", "add", source)
    limit = time.monotonic() + 60
    while not work.exists() and time.monotonic() < limit:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert "many" not in list_table_folders()
    with pytest.raises(HarnessError, match="unknown table 'many'"):
        open_table("many")
    (table,) = add_table(str(source))
    assert len(table) == 40
    assert verify(table) == []
    assert not work.exists()


def test_finished_chunks_are_not_read_again(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(convert, "CHUNK", 2)
    about = {"title": "t"}
    source = tmp_path / "archive"
    shutil.copytree(archive, source)
    work = tmp_path / "work"
    work.mkdir()
    (work / "source.json").write_text(json.dumps(about))
    convert.read_chunk(sorted(source.glob("0*.pbz2"))[:2], convert.name_chunk(work, 0))
    for path in sorted(source.glob("0*.pbz2"))[:2]:
        path.write_bytes(b"unreadable, if it were read")
    settings: dict[str, Any] = {"about": about, "jobs": 1, "say": lambda _: None}
    table = convert.convert_nasbench201(source, tmp_path / "t", work=work, **settings)
    whole = convert.convert_nasbench201(archive, tmp_path / "u", work=tmp_path / "v", **settings)
    assert table.fingerprint == whole.fingerprint


def test_verify_finds_what_changed(tmp_path: Path) -> None:
    rows().to_csv(tmp_path / "a.csv", index=False)
    (table,) = add_table(str(tmp_path / "a.csv"), name="a", space="nasbench201")
    path = table.folder / "accuracy.npy"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    assert verify(table) == [f"{path} has changed since it was written"]
    done = command("tables", "verify", "a")
    out, _ = done.communicate(timeout=60)
    assert (done.returncode, "accuracy.npy has changed" in out) == (1, True)
    path.unlink()
    assert verify(table) == [f"{path} is missing"]


def test_embedded_tables_are_as_written() -> None:
    for name in ("nasbench201.digits", "nasbench1shot1.s1.digits"):
        assert verify(open_table(name)) == []


# -- fetch, from a real server --------------------------------------------------------------------------------


class Server(http.server.BaseHTTPRequestHandler):
    """Serves one content with ranges; breaks off after `limit` bytes."""

    content, limit, kind = b"", 1 << 30, "application/octet-stream"
    ranges: ClassVar[list[str | None]] = []

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        body = self.content[start:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", self.kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.limit])

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Listener(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that has heard enough hangs up; that is no error of a test."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[type[Server], TableSource]]:
    kind = type("One", (Server,), {"content": bytes(range(256)) * 20_000, "ranges": []})
    with Listener(("127.0.0.1", 0), kind) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{running.server_port}/file.tfrecord"
        known = hashlib.sha256(kind.content).hexdigest()
        source = replace(sources.list_sources()["nasbench101-only108"], url=url, file="file.tfrecord", sha256=known)
        yield kind, source
        running.shutdown()


def test_fetch_downloads_checks_and_keeps(server: tuple[type[Server], TableSource], cache: Path) -> None:
    kind, source = server
    path = fetch.fetch(source, lambda _: None)
    assert path == cache / "downloads" / "file.tfrecord"
    assert path.read_bytes() == kind.content
    fetch.fetch(source, lambda _: None)
    assert kind.ranges == [None]  # the second time it was there


def test_fetch_goes_on_where_it_broke_off(server: tuple[type[Server], TableSource], cache: Path) -> None:
    kind, source = server
    kind.limit = 3_000_000
    with pytest.raises(HarnessError, match=r"broke off \(ChunkedEncodingError\); 3 MB are kept, the same"):
        fetch.fetch(source, lambda _: None)
    have = (cache / "downloads" / "file.tfrecord.part").stat().st_size
    kind.limit = 1 << 30
    said: list[str] = []
    assert fetch.fetch(source, said.append).read_bytes() == kind.content
    assert kind.ranges == [None, f"bytes={have}-"]
    assert said == ["going on at 3 MB"]


def test_fetch_refuses_another_file(server: tuple[type[Server], TableSource], cache: Path) -> None:
    kind, source = server
    with pytest.raises(HarnessError, match="did not give the published file"):
        fetch.fetch(replace(source, sha256="0" * 64), lambda _: None)
    kind.kind = "text/html; charset=utf-8"
    with pytest.raises(HarnessError, match="answers with a page instead of the file"):
        fetch.fetch(source, lambda _: None)
    assert list((cache / "downloads").glob("file.tfrecord*")) == []


def test_fetch_offline(server: tuple[type[Server], TableSource]) -> None:
    _, source = server
    with pytest.raises(HarnessError, match=r"cannot be reached, are you offline\? \(ConnectionError\)"):
        fetch.fetch(replace(source, url="http://127.0.0.1:9/file"), lambda _: None)


def test_fetch_says_what_a_source_is() -> None:
    done = command("tables", "fetch", "nasbench101-only108", "--dry-run")
    _, error = done.communicate(timeout=60)
    assert done.returncode == 0
    for part in ("499 MB", "4c39c3936e36", "storage.googleapis.com", "Ying et al.", "Apache-2.0"):
        assert part in error


# -- analog-nasbench, the real package ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source, folder = sources.list_sources()["analog-nasbench"], tmp_path_factory.mktemp("pip")
    try:
        fetch.install_by_pip(source, folder)
    except HarnessError as error:
        pytest.skip(str(error))
    return folder / source.file


def test_analog_is_close_to_the_real_table_but_is_not_it(wheel: Path, nasbench201_rows: list[dict[str, str]]) -> None:
    (table,) = add_table("analog-nasbench")
    assert sources.locate_downloads().joinpath(wheel.name).read_bytes() == wheel.read_bytes()
    assert (table.name, len(table)) == ("nasbench201.analog", 15_625)
    assert table.info["about"]["sha256_is"] == "equal to the published one"
    cells = [table.space.parse(r["arch_str"]) for r in nasbench201_rows]
    ours = table.row_values(table.test)[table.rows(cells)]
    real = np.array([float(r["cifar10_test_200"]) for r in nasbench201_rows])
    assert spearmanr(ours, real)[0] == pytest.approx(0.99, abs=0.005)
    assert 15 < np.abs(ours - real).max() < 20


def test_analog_pickle_that_runs_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
            return os.mkdir, ("pwned",)

    monkeypatch.chdir(tmp_path)
    path = tmp_path / "my_analog.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("analognasbench/data.anb", pickle.dumps({(0,) * 6: Evil()}))
    with pytest.raises(HarnessError, match=r"is refused: it asks for posix\.mkdir"):
        add_table(str(path))
    assert not (tmp_path / "pwned").exists()
