"""The whole attack, in one command: python -m benchmarks.reliability.attack [KIND ...] [--fuzz N] [--words]

Runs the cases that were once found by hand, then N of each kind that hypothesis makes (studies, tidy files, pickles,
edited results and manifests, exports), each command in a process of its own with limits of time and memory. Prints
every fault, and the counts.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.reliability import archives, beside, damage, edited, exported, large, paths, pickled, studies, tidy
from benchmarks.reliability.case import Case
from benchmarks.reliability.contained import warm

Fuzz = tuple[Any, Callable[[Any, Path], Case]]
FUZZED: dict[str, Fuzz] = {
    "studies": (studies.mutated(), lambda value, root: studies.fuzzed(value)),
    "tidy": (tidy.hostile(), lambda value, root: tidy.fuzzed(value)),
    "pickles": (pickled.hostile(), lambda value, root: pickled.fuzzed(value)),
    "edited": (edited.hostile(), lambda value, root: edited.fuzzed(root, value)),
    "manifests": (edited.hostile_manifest(), lambda value, root: edited.fuzzed_manifest(root, value)),
    "exporters": (exported.hostile(), lambda value, root: exported.fuzzed(root, value)),
}
"""What hypothesis makes of each kind, and the case of it; its results of runs are made in a root."""


def named(root: Path) -> Iterator[Case]:
    """Every case that was written by hand."""
    yield from studies.named()
    yield from tidy.named()
    yield from pickled.named()
    yield from damage.named(root)
    yield from paths.named(root)
    yield from edited.named(root)
    yield from exported.named(root)
    yield from archives.named()
    yield from large.named()
    yield from beside.named()


def tried(case: Case) -> str | None:
    """What is wrong with the answer to a case, in an empty folder and with an empty cache."""
    folder = Path(tempfile.mkdtemp(prefix="attack-"))
    before = os.environ.get("NASBENCH_HARNESS_CACHE")
    os.environ["NASBENCH_HARNESS_CACHE"] = str(folder / "cache")
    try:
        return case.attack(folder)
    except Exception as error:  # of the judge: it must not end the others
        return f"the judge failed: {error!r}"
    finally:
        if before is None:
            del os.environ["NASBENCH_HARNESS_CACHE"]
        else:
            os.environ["NASBENCH_HARNESS_CACHE"] = before
        for path in [folder, *folder.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o777 if path.is_dir() else 0o666)
        shutil.rmtree(folder, ignore_errors=True)


def fuzzed(kind: str, count: int, root: Path) -> Iterator[Case]:
    """As many cases of a kind as hypothesis is asked for, new ones every day."""
    from hypothesis import HealthCheck, Phase, given, settings

    made: list[Case] = []
    strategy, case_of = FUZZED[kind]

    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(value: Any) -> None:
        made.append(case_of(value, root))

    collect()
    yield from made


def sort_of(fault: str) -> str:
    found = re.search(r"\b(traceback|hang|wrong number|found identical)", fault)
    sort = found[1] if found else "other"
    return "wrong number" if sort == "found identical" else sort


def attack(cases: Iterable[Case], say: Callable[[str], None]) -> tuple[Counter[str], dict[str, Counter[str]]]:
    """Cases by kind, and of each kind its faults by sort."""
    counts: Counter[str] = Counter()
    faults: dict[str, Counter[str]] = defaultdict(Counter)
    for case in cases:
        began = time.monotonic()
        fault = tried(case)
        counts[case.kind] += 1
        if not counts.total() % 100:
            say(f"{counts.total()} cases so far: {dict(counts)}")
        if fault:
            faults[case.kind][sort_of(fault)] += 1
            say(f"{case.kind}: {case.name:.300}: {fault:.600} ({time.monotonic() - began:.1f} s)")
    return counts, faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", help="these kinds alone: studies, tidy, pickles, damages, paths, ...")
    parser.add_argument("--fuzz", type=int, default=1000, help="cases of each such kind by hypothesis")
    parser.add_argument("--named", default="", help="cases whose name holds this alone")
    asked = parser.parse_args()
    warm()
    with tempfile.TemporaryDirectory(prefix="attack-root-") as root:
        Path(root).chmod(0o755)
        cases = [c for c in named(Path(root)) if asked.named in c.name]
        random.Random(0).shuffle(cases)  # so that an attack that is stopped has seen something of everything
        for kind in FUZZED if asked.fuzz and not asked.named else ():
            cases += fuzzed(kind, asked.fuzz, Path(root)) if not asked.kinds or kind in asked.kinds else ()
        counts, faults = attack((c for c in cases if not asked.kinds or c.kind in asked.kinds), print_now)
    print(f"{'kind':10} cases tracebacks hangs wrong other")
    for kind, count in counts.items():
        sorts = [faults[kind][s] for s in ("traceback", "hang", "wrong number", "other")]
        print(f"{kind:10} {count:5} {sorts[0]:10} {sorts[1]:5} {sorts[2]:5} {sorts[3]:5}")
    return int(any(faults.values()))


def print_now(line: str) -> None:
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
