"""A small form of the attack in benchmarks/reliability: hostile input ends in a sentence, or in the right numbers."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from benchmarks.reliability import archives, attack, paths, pickled, studies, tidy
from benchmarks.reliability.case import Case
from benchmarks.reliability.contained import command, warm
from tests.conftest import often

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a case is a forked process")


@pytest.fixture(scope="module", autouse=True)
def warmed() -> None:
    warm(verbs=False)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where results are made that are then edited."""
    return tmp_path_factory.mktemp("root")


STUDIES = (
    "betas 2", "decay 1e300", "10^23", "10^8", "20000", "seeds t", "by the billion", "data set", "label of 3", "part 5",
    "methods long", "name", "nested", "dotted", "digits", "1 x 1", "long line",
)  # fmt: skip
TIDY = ("empty", "cut", "null", "diagonal", "as it should be")
LARGE = ("many empty", "gigabyte", "without end", "deep tuples", "deep lists")


def cases() -> Iterator[Case]:
    """Of every kind those that are quick: studies that are refused, two places and forms of each bomb."""
    yield from (c for c in studies.named() if any(word in c.name for word in STUDIES))
    yield from (c for c in tidy.named() if c.name in TIDY or c.name.startswith("epochs"))
    for case in pickled.named():
        bomb = case.name.startswith(("archive folder", "wheel")) and case.name.endswith(("as key", "as accuracy"))
        value = case.name.startswith(("wheel: key", "wheel: accuracy"))
        if (bomb and not any(word in case.name for word in LARGE)) or value or "as it should" in case.name:
            yield case
    yield from archives.named()
    yield from (c for c in paths.named(Path("nowhere")) if c.kind == "records" and c.name.endswith(".json"))


CASES = list(cases())


@pytest.mark.parametrize("case", often(CASES, CASES[::6].__contains__), ids=[f"{c.kind}: {c.name}"[:80] for c in CASES])
def test_what_was_found(case: Case) -> None:
    assert attack.tried(case) is None


@pytest.mark.parametrize("kind", list(attack.FUZZED))
def test_fuzz(kind: str, root: Path) -> None:
    strategy, case_of = attack.FUZZED[kind]

    @settings(max_examples=8, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
    @given(strategy)
    def check(value: Any) -> None:
        assert attack.tried(case_of(value, root)) is None

    check()


# -- that the attack sees what is wrong: its judge is wrong where nothing fails ---------------------------------------


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (lambda: print(1 / 0), "traceback: ZeroDivisionError"),
        (lambda: sum(iter(int, 1)), "hang"),
        (lambda: os.kill(os.getpid(), signal.SIGUSR2), "ended by signal 12"),
    ],
)
def test_the_judge(harm: Callable[[], object], word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.cli.listing.list_members", lambda kind: harm())
    fault = command(["list", "spaces"], tmp_path, seconds=1).fault()
    assert fault is not None
    assert fault.startswith(word)
