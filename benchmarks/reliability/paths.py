"""Paths, permissions, caches and pipes that are not as they should be, and what stands on standard output."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.reliability.case import Case
from benchmarks.reliability.contained import SIGNALED, Ended, command
from benchmarks.reliability.damage import finished

LONG = "a" * 5000
Words = Sequence[object]
READS: dict[str, Callable[[Path], Words]] = {
    "plan": lambda p: ["plan", p], "run": lambda p: ["run", p], "status": lambda p: ["status", p],
    "compare": lambda p: ["compare", p], "plot": lambda p: ["plot", p], "report": lambda p: ["report", p],
    "conform": lambda p: ["conform", p], "import": lambda p: ["import", p, "--table", "nasbench201.digits"],
    "add": lambda p: ["tables", "add", p, "--name", "own", "--space", "nasbench201"],
    "info": lambda p: ["tables", "info", p], "cluster": lambda p: ["run", "study.toml", "--cluster", p],
    "against": lambda p: ["gate", "study.toml", "--out", "out", "--against", p],
    "claims": lambda p: ["claims", "list", "--claims", p],
}  # fmt: skip
WRITES: dict[str, Callable[[Path], Words]] = {
    "run --out": lambda p: ["run", "study.toml", "--out", p, "--jobs", "1"],
    "plan --out": lambda p: ["plan", "study.toml", "--out", p],
    "status --out": lambda p: ["status", "study.toml", "--out", p],
    "report --to": lambda p: ["report", "study.toml", "--out", "out", "--to", p],
    "plot --to": lambda p: ["plot", "study.toml", "--out", "out", "--to", p],
    "gate --write": lambda p: ["gate", "study.toml", "--out", "out", "--write", p],
    "export --to": lambda p: ["export", "study.toml", "--out", "out", "--format", "csv", "--to", p],
    "publish --to": lambda p: ["publish", "study.toml", "--out", "out", "--to", p],
}
CACHES: dict[str, Words] = {
    "plan": ["plan", "study.toml"], "tables list": ["tables", "list"], "list": ["list", "formats"],
    "tables add": ["tables", "add", "own.csv", "--name", "own", "--space", "nasbench201", "--test", "d/test@3"],
    "tables info": ["tables", "info", "nasbench201.digits"], "fetch": ["tables", "fetch", "nats-tss", "--dry-run"],
    "add a source": ["tables", "add", "nats-tss"], "data sets": ["datasets", "list"],
    "price": ["plan", "study.toml", "--price", "--out", "fresh", "--jobs", "1"],
}  # fmt: skip


def loop(folder: Path) -> Path:
    (folder / "loop").symlink_to(folder / "loop")
    return folder / "loop"


def made(folder: Path, name: str, mode: int, content: bytes | None = b"x") -> Path:
    path = folder / name
    path.mkdir() if content is None else path.write_bytes(content)
    path.chmod(mode)
    return path


PLACES: dict[str, Callable[[Path], Path]] = {
    "missing": lambda f: f / "missing.toml",
    "missing folder": lambda f: f / "missing" / "a.toml",
    "a folder": lambda f: made(f, "folder.toml", 0o777, None),
    "a loop": loop,
    "inside a loop": lambda f: loop(f) / "a",
    "a dangling link": lambda f: ((f / "dangling").symlink_to(f / "nothing"), f / "dangling")[1],
    "too long": lambda f: f / LONG,
    "inside too long": lambda f: f / LONG / "a.csv",
    "inside a file": lambda f: made(f, "file", 0o666) / "a.csv",
    "a file": lambda f: made(f, "other.csv", 0o666),
    "a closed file": lambda f: made(f, "closed.csv", 0),
    "a closed folder": lambda f: made(f, "closed", 0, None),
    "inside a closed folder": lambda f: made(f, "closed", 0, None) / "a.toml",
    "a folder to read alone": lambda f: made(f, "readable", 0o555, None),
    "inside a folder to read alone": lambda f: made(f, "readable", 0o555, None) / "a.parquet",
    "a device": lambda f: Path("/dev/null"),
    "a full device": lambda f: Path("/dev/full"),
    "a process": lambda f: Path("/proc/self/mem"),
    "empty": lambda f: Path(),
    "no text": lambda f: f / os.fsdecode(b"\xff\xfe.csv"),
    "markup": lambda f: f / "[/red]",
}
HOMES: dict[str, Callable[[Path], dict[str, str | None]]] = {
    "a file": lambda f: {"NASBENCH_HARNESS_CACHE": str(made(f, "cache-file", 0o666))},
    "inside a file": lambda f: {"NASBENCH_HARNESS_CACHE": str(made(f, "cache-file", 0o666) / "a")},
    "closed": lambda f: {"NASBENCH_HARNESS_CACHE": str(made(f, "closed-cache", 0, None))},
    "to read alone": lambda f: {"NASBENCH_HARNESS_CACHE": str(made(f, "read-cache", 0o555, None))},
    "a loop": lambda f: {"NASBENCH_HARNESS_CACHE": str(loop(f))},
    "too long": lambda f: {"NASBENCH_HARNESS_CACHE": str(f / LONG)},
    "of nobody's home": lambda f: {"NASBENCH_HARNESS_CACHE": "~nobodyatall/x"},
    "no home": lambda f: {"NASBENCH_HARNESS_CACHE": None, "HOME": None, "XDG_CACHE_HOME": None},
    "a home that is not": lambda f: {"NASBENCH_HARNESS_CACHE": None, "HOME": "/nonexistent", "XDG_CACHE_HOME": None},
    "a damaged table": lambda f: damaged_table(f, b"{"),
    "a nested table": lambda f: damaged_table(f, b"[" * 100_000),
    "a table that is a list": lambda f: damaged_table(f, b"[1]"),
}
OWN = "arch,dataset,split,epochs,trial,accuracy\n|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,d,test,3,0,5\n"


def damaged_table(folder: Path, content: bytes) -> dict[str, str | None]:
    there = folder / "cache" / "tables" / "nasbench201.digits"
    there.mkdir(parents=True)
    (there / "table.json").write_bytes(content)
    return {"NASBENCH_HARNESS_CACHE": str(folder / "cache")}


def prepared(folder: Path, root: Path) -> None:
    shutil.copytree(finished(root), folder, dirs_exist_ok=True)
    (folder / "own.csv").write_text(OWN)
    folder.chmod(0o777)
    for path in folder.rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)


def of_place(folder: Path, root: Path, words: Callable[[Path], Words], place: Callable[[Path], Path]) -> str | None:
    prepared(folder, root)
    ended = command(words(place(folder)), folder, nobody=True, seconds=20)
    return ended.fault((0, 1, 2))


def of_cache(folder: Path, root: Path, words: Words, home: Callable[[Path], dict[str, str | None]]) -> str | None:
    prepared(folder, root)
    return command(words, folder, nobody=True, environment=home(folder), seconds=20).fault((0, 1, 2))


# -- records and baselines ---------------------------------------------------------------------------------------


def of_record(folder: Path, name: str, content: bytes) -> str | None:
    (folder / name).write_bytes(content)
    ended = command(["conform", folder / name], folder)
    return ended.fault((1, 2)) or (None if ended.out.count("yes") == 0 else "a damaged record conforms")


def of_baseline(folder: Path, root: Path, column: str, kind: str, *more: str) -> str | None:
    import pandas as pd

    prepared(folder, root)
    rows = pd.read_parquet(folder / "base.parquet")
    rows = rows.drop(columns=column) if kind == "missing" else rows.assign(**{column: values(rows[column], kind)})
    rows.to_parquet(folder / "changed.parquet")
    words = ["gate", "study.toml", "--out", "out", "--against", "changed.parquet", *more]
    ended = command(words, folder)
    exact_numbers = "--exact" in more and ended.code == 0 and kind != "as it is"
    return ended.fault((0, 1, 2, 3, 4)) or ("a changed baseline is found identical" if exact_numbers else None)


def values(column: object, kind: str) -> object:
    import pandas as pd

    assert isinstance(column, pd.Series)
    made: dict[str, Callable[[], object]] = {
        "text": lambda: column.astype(str) + "x", "none": lambda: None, "lists": lambda: [[1.0]] * len(column),
        "bytes": lambda: [b"a"] * len(column), "dates": lambda: pd.Timestamp("2020-01-01"), "as it is": lambda: column,
        "nan": lambda: float("nan"), "inf": lambda: float("inf"), "dicts": lambda: [{"a": 1}] * len(column),
    }  # fmt: skip
    return made[kind]()


# -- standard output ---------------------------------------------------------------------------------------------

ROWS: dict[str, Words] = {
    "plan": ["plan", "study.toml", "--out", "out"], "status": ["status", "study.toml", "--out", "out"],
    "run": ["run", "study.toml", "--out", "out", "--jobs", "1"],
    "run anew": ["run", "study.toml", "--out", "anew", "--jobs", "1"],
    "compare": ["compare", "study.toml", "--out", "out"], "paper": ["paper", "study.toml", "--out", "out"],
    "gate": ["gate", "study.toml", "--out", "out", "--against", "base.parquet"],
    "exact gate": ["gate", "study.toml", "--out", "out", "--against", "base.parquet", "--exact"],
    "tables list": ["tables", "list"], "info": ["tables", "info", "nasbench201.digits"],
    "lookup": ["tables", "lookup", "nasbench201.digits", "11"], "fetch": ["tables", "fetch"],
    "costs": ["tables", "lookup", "nasbench201.digits", "11", "--costs"],
    "data sets": ["datasets", "list"], "list": ["list", "methods"], "list spaces": ["list", "spaces"],
}  # fmt: skip


def of_format(folder: Path, root: Path, words: Words, form: str) -> str | None:
    """Whether standard output is the rows in the format, and nothing else."""
    prepared(folder, root)
    ended = command([*words, "--format", form], folder)
    if fault := ended.fault((0, 1, 2, 3, 4)):
        return fault
    if ended.code == 2:
        return None if not ended.out else "an error, and rows"
    return impure(ended, form)


def impure(ended: Ended, form: str) -> str | None:
    if form == "json":
        try:
            rows = json.loads(ended.out, parse_constant=lambda c: (_ for _ in ()).throw(ValueError(c)))
        except ValueError as error:
            return f"standard output is no JSON ({error}): {ended.out[:200]!r}"
        return None if isinstance(rows, list) else "no list of rows"
    rows = list(csv.reader(io.StringIO(ended.out)))
    return None if len({len(row) for row in rows}) <= 1 else f"rows of different lengths: {ended.out[:300]!r}"


def of_pipe(folder: Path, root: Path, words: Words, read: int) -> str | None:
    """A reader that goes after some bytes: the program ends without a word about it."""
    prepared(folder, root)
    environment = os.environ | {"NASBENCH_HARNESS_CACHE": str(folder / "cache")}
    program = subprocess.Popen(
        [sys.executable, "-m", "harness", *map(str, words)], cwd=folder, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert program.stdout is not None and program.stderr is not None
    program.stdout.read(read)
    program.stdout.close()
    said = program.stderr.read().decode()
    code = program.wait(120)
    if "Traceback" in said or "Exception ignored" in said or "BrokenPipe" in said:
        return f"a closed pipe: {said[-300:]}"
    return None if code in (0, 1, SIGNALED + 13) else f"a closed pipe: exit code {code}"


def named(root: Path) -> Iterator[Case]:
    for verbs in (READS, WRITES):
        for verb, words in verbs.items():
            for name, place in PLACES.items():
                yield Case("paths", f"{verb} {name}", lambda f, w=words, p=place: of_place(f, root, w, p))
    for verb, words in CACHES.items():
        if verb == "price":  # its workers are new processes of Python, into whose folder nobody may look here
            continue
        for name, home in HOMES.items():
            yield Case("paths", f"{verb}, cache {name}", lambda f, w=words, h=home: of_cache(f, root, w, h))
    for verb, words in ROWS.items():
        for form in ("json", "csv"):
            yield Case("formats", f"{verb} --format {form}", lambda f, w=words, o=form: of_format(f, root, w, o))
    for verb, words in {
        "list": ["list"], "info": ROWS["info"], "status": ROWS["status"], "compare": ROWS["compare"],
        "help": ["--help"], "list as csv": ["list", "--format", "csv"],
    }.items():  # fmt: skip
        for read in (0, 1, 100):
            yield Case("formats", f"{verb}, {read} bytes read", lambda f, w=words, r=read: of_pipe(f, root, w, r))
    for kind in ("text", "none", "lists", "bytes", "dates", "nan", "inf", "dicts", "missing"):
        for column in ("train_loss", "alphas", "architecture", "error_pct", "seed", "epoch", "method", "measure"):
            for more in ([], ["--exact"]):
                yield Case(
                    "baselines", f"{column} of {kind} {' '.join(more)}",
                    lambda f, c=column, k=kind, m=more: of_baseline(f, root, c, k, *m),
                )  # fmt: skip
    records: dict[str, bytes] = {
        "unknown.json": b'{"a": 1}', "list.json": b"[1, 2]", "number.json": b"1", "null.json": b"null",
        "empty.json": b"",
        "nested.json": b"[" * 100_000, "digits.json": b"9" * 5000, "text.json": b"\xff", "meta.json": b'{"meta": 5}',
        "kind.json": b'{"meta": {"method": ["a"]}}', "deep.json": b'{"meta": {"method": {"a": {"b": 1}}}}',
        "space.json": b'{"meta": {"space": "nasbench201", "kind": "derivation"}, "cases": 5}',
        "empty.npz": b"", "zeros.npz": bytes(100), "other.txt": b"a",
    }  # fmt: skip
    for name, content in records.items():
        yield Case("records", name, lambda f, n=name, c=content: of_record(f, n, c))
    for method in ("darts", 5, None, ["a"], "unknown"):
        for space in ("nasbench201", "nasbench1shot1.s1", 5, None):
            content = record(method=method, space=space, kind="steps", seed=0)
            yield Case("records", f"record of {method} on {space}", lambda f, c=content: of_record(f, "a.npz", c))


def record(**meta: object) -> bytes:
    out = io.BytesIO()
    np.savez(out, meta=np.array(json.dumps(meta)), alphas=np.zeros((6, 5)), x=np.zeros(3))
    return out.getvalue()
