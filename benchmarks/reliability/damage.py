"""Finished runs that are not what was written: every reader says so, or gives what it gave before."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import cache
from pathlib import Path

import click

from benchmarks.reliability.case import Case, toml_file
from benchmarks.reliability.contained import Ended, command
from benchmarks.reliability.studies import SMALL

STUDY = SMALL | {"methods": ["darts", "random-search"], "seeds": [0, 1]}
VERBS: dict[str, list[str]] = {
    "status": ["status", "STUDY", "--out", "OUT"],
    "run": ["run", "STUDY", "--out", "OUT", "--jobs", "1"],
    "compare": ["compare", "STUDY", "--out", "OUT", "--format", "csv"],
    "compare the folder": ["compare", "OUT/attacked", "--format", "csv"],
    "paper": ["paper", "STUDY", "--out", "OUT", "--format", "csv"],
    "gate": ["gate", "STUDY", "--out", "OUT", "--against", "BASE", "--exact"],
    "export": ["export", "STUDY", "--out", "OUT", "--format", "csv", "--to", "rows.csv"],
    "plot": ["plot", "OUT/attacked", "--to", "figures"],
    "report": ["report", "STUDY", "--out", "OUT", "--to", "report.html"],
    "publish": ["publish", "STUDY", "--out", "OUT", "--to", "published"],
}
FILES = ("epochs.parquet", "lookups.parquet", "timing.parquet", "manifest.json")


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def another(path: Path) -> None:
    """The same file of another run."""
    others = [p for p in sorted(path.parent.parent.glob(f"*/{path.name}")) if p.parent != path.parent]
    shutil.copy(others[0], path)


def folder_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": flipped,
    "cut": lambda p: p.write_bytes(p.read_bytes()[: p.stat().st_size // 2]),
    "zeroed": lambda p: p.write_bytes(bytes(p.stat().st_size)),
    "empty": lambda p: p.write_bytes(b""),
    "missing": lambda p: p.unlink(),
    "of another run": another,
    "a folder": folder_instead,
    "a loop": lambda p: (p.unlink(), p.symlink_to(p)),
    "no text": lambda p: p.write_bytes(b"\xff\xfe[1]"),
    "nested": lambda p: p.write_bytes(b"[" * 100_000),
    "a list": lambda p: p.write_bytes(b"[]"),
    "a long number": lambda p: p.write_bytes(b'{"configuration": ' + b"9" * 5000 + b"}"),
}


@cache
def finished(root: Path) -> Path:
    """A finished study with a baseline of it, made once."""
    there = root / "finished"
    there.mkdir()
    (there / "study.toml").write_text(toml_file(STUDY))
    made = command(["run", "study.toml", "--out", "out", "--jobs", "1"], there, seconds=60)
    assert made.code == 0, made.err
    assert command(["gate", "study.toml", "--out", "out", "--write", "base.parquet"], there).code == 0
    return there


def called_here(there: Path, *, verbs: bool) -> None:
    """Verbs called once in this process."""
    from harness.cli.main import main

    (there / "study.toml").write_text(toml_file(STUDY))
    words = [["plan", "STUDY"], ["tables", "add", "STUDY"], ["conform", "STUDY"]]
    if verbs:
        words += [VERBS["run"], ["gate", "STUDY", "--out", "OUT", "--write", "BASE"], ["list"], *VERBS.values()]
    for each in words:
        with (
            redirect_stdout(io.StringIO()),
            redirect_stderr(io.StringIO()),
            suppress(SystemExit, click.exceptions.Exit),
        ):
            main([named_in(there, word) for word in each], standalone_mode=False)


RUNS = 4
"""Those that are finished before they are harmed."""


def named_in(folder: Path, word: str) -> str:
    places = {"STUDY": folder / "study.toml", "OUT": folder / "out", "BASE": folder / "base.parquet"}
    return str(places.get(word, word)).replace("OUT/", f"{folder / 'out'}/")


def called(verb: str, folder: Path, **how: bool) -> Ended:
    return command([named_in(folder, word) for word in VERBS[verb]], folder, **how)


@cache
def undamaged(root: Path, verb: str) -> str:
    there = root / f"undamaged-{verb.replace(' ', '-')}"
    shutil.copytree(finished(root), there)
    return result(called(verb, there), there)


def result(ended: Ended, folder: Path) -> str:
    """What a reader gave, without the names of its folders."""
    rows = folder / "rows.csv"
    told = ended.out + (rows.read_text() if rows.exists() else "")
    # where what was declared before the runs is damaged, a comparison is none of those: this is said, rightly
    return told.replace(str(folder), "").replace("exploratory: ", "")


def attack(folder: Path, root: Path, verb: str, harm: Callable[[Path], object], **how: bool) -> str | None:
    """A reader on runs that were harmed. It may refuse (2), or say it (1), or give what it gives of whole runs."""
    shutil.copytree(finished(root), folder, dirs_exist_ok=True)
    study = folder / "out" / "attacked"
    harm(study)
    if how.get("nobody"):
        folder.chmod(0o777)
    ended = called(verb, folder, **how)
    if fault := ended.fault((0, 1, 2)):
        return f"{verb}: {fault}"
    said = (ended.err + ended.out).replace(f"{RUNS} of {RUNS}", "")
    whole = "not finished" not in ended.err and f"of {RUNS} runs finished" not in said
    if f"OUT/{study.name}" in VERBS[verb]:  # without the study's file nobody knows of a run whose folder is gone
        whole = whole and sum(p.is_dir() for p in study.glob("*_seed*")) == RUNS
    if ended.code == 0 and whole and result(ended, folder) != undamaged(root, verb):
        return f"wrong numbers: {verb} says {result(ended, folder)[:300]!r}"
    if ended.code == 1 and "error: " not in ended.err and not ended.out:
        return f"{verb} ended with 1 and no word"
    return None


def first_run(study: Path) -> Path:
    return min(p for p in study.iterdir() if (p / "manifest.json").exists())


def of_file(name: str, harm: Callable[[Path], object]) -> Callable[[Path], object]:
    return lambda study: harm(first_run(study) / name)


def swapped(study: Path) -> None:
    """Two runs under each other's names."""
    one, two, *_ = sorted(p for p in study.iterdir() if (p / "manifest.json").exists())
    one.rename(study / "between")
    two.rename(one)
    (study / "between").rename(two)


def left_over(study: Path) -> None:
    for name in ("checkpoint.pt", "progress.json", "error.txt", "epochs.parquet.1-ab.tmp"):
        (first_run(study) / name).write_text("{")


def edited(study: Path) -> None:
    path = first_run(study) / "manifest.json"
    content = json.loads(path.read_text())
    content["configuration"]["seed"] = 7
    path.write_text(json.dumps(content))


WHOLE: dict[str, Callable[[Path], object]] = {
    "runs under each other's names": swapped,
    "left over files": left_over,
    "edited manifest": edited,
    "empty folder": lambda s: [p.unlink() for p in first_run(s).iterdir()],
    "a file for a run": lambda s: (shutil.rmtree(p := first_run(s)), p.write_text("")),
    "a strange folder": lambda s: ((s / "strange").mkdir(), (s / "strange" / "manifest.json").write_text("[]")),
    "declared no object": lambda s: (s / "declared.json").write_text("[1]"),
    "declared nested": lambda s: (s / "declared.json").write_text("[" * 100_000),
    "leases a file": lambda s: (shutil.rmtree(s / ".leases", ignore_errors=True), (s / ".leases").write_text("")),
}


def named(root: Path) -> Iterator[Case]:
    for file in FILES:
        for damage, harm in DAMAGES.items():
            for verb in VERBS:
                yield Case(
                    "damages", f"{verb}: {file} {damage}",
                    lambda f, v=verb, n=file, h=harm: attack(f, root, v, of_file(n, h)),
                )  # fmt: skip
    for damage, harm in WHOLE.items():
        for verb in VERBS:
            yield Case("damages", f"{verb}: {damage}", lambda f, v=verb, h=harm: attack(f, root, v, h))
    for damage, harm in {
        "run unreadable": lambda s: first_run(s).chmod(0),
        "rows unreadable": lambda s: (first_run(s) / "epochs.parquet").chmod(0),
        "manifest unreadable": lambda s: (first_run(s) / "manifest.json").chmod(0),
        "study unreadable": lambda s: s.chmod(0),
        "study not writable": lambda s: s.chmod(0o555),
        "unfinished in a study not writable": lambda s: (shutil.rmtree(first_run(s)), s.chmod(0o555)),
        "unfinished with closed leases": lambda s: (
            shutil.rmtree(first_run(s)), (s / ".leases").mkdir(exist_ok=True), (s / ".leases").chmod(0o555),
            s.chmod(0o777),
        ),
    }.items():  # fmt: skip
        for verb in VERBS:
            yield Case(
                "damages", f"{verb}: {damage}, as nobody",
                lambda f, v=verb, h=harm: attack(f, root, v, h, nobody=True),
            )  # fmt: skip
