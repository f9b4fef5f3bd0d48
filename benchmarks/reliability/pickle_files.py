"""Files that hold a pickle, in every form that tables are added from, and what is wrong with the answer to one."""

from __future__ import annotations

import bz2
import copy
import math
import pickle
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.reliability.contained import command

INDEX, EPOCHS, SEED = 11, 200, 777
MAGIC = 0x1950A86A20F9469CFC6C


def cell() -> str:
    from harness.spaces.nasbench201.cell import list_official_cells, to_string

    return to_string(list_official_cells()[INDEX])


def entry() -> dict[str, Any]:
    """One architecture's entry, as the official files have it; every number is known."""
    last = EPOCHS - 1
    result = {
        "epochs": EPOCHS,
        "train_acc1es": {e: 10.0 + e / 4 for e in range(EPOCHS)},
        "train_losses": {e: 2.0 - e / 400 for e in range(EPOCHS)},
        "eval_acc1es": {f"ori-test@{last}": 55.5, f"x-valid@{last}": 44.25},
        "eval_losses": {f"ori-test@{last}": 1.5, f"x-valid@{last}": 1.25},
        "train_times": dict.fromkeys(range(EPOCHS), 1.0),
        "eval_times": {f"ori-test@{last}": 0.5},
        "flop": 12.5,
        "params": 0.25,
        "latency": [0.01, 0.02],
    }
    results = {(name, SEED): copy.deepcopy(result) for name in ("cifar10", "cifar10-valid")}
    del results["cifar10", SEED]["eval_acc1es"][f"x-valid@{last}"]
    return {"200": {"arch_index": INDEX, "arch_str": cell(), "all_results": results}}


def wheel_content() -> bytes:
    """What the wheel holds: architectures with an accuracy, as a pickle that names their class."""
    parts = [pickle.PROTO + b"\x02", pickle.EMPTY_DICT, pickle.MARK]
    for key, value in (((0, 1, 2, 3, 4, 0), 60.5), ((1, 1, 1, 1, 1, 1), 50.25)):
        parts += [pickle.MARK, *(pickle.BININT1 + bytes([k]) for k in key), pickle.TUPLE, architecture(dumped(value))]
    return b"".join([*parts, pickle.SETITEMS, pickle.STOP])


def dumped(value: Any) -> bytes:
    """The opcodes of a value, without beginning and end."""
    return pickle.dumps(value, protocol=2)[2:-1]


def architecture(value: bytes) -> bytes:
    """The opcodes of an object with this accuracy."""
    named = pickle.GLOBAL + b"analognasbench.data\nArchitecture\n"
    state = pickle.EMPTY_DICT + dumped("baseline_accuracy") + value + pickle.SETITEM
    return named + pickle.EMPTY_TUPLE + pickle.NEWOBJ + state + pickle.BUILD


# -- the forms of file -----------------------------------------------------------------------------------------------


def folder_form(folder: Path, content: bytes) -> Path:
    there = folder / "NATS-archive"
    there.mkdir()
    (there / f"{INDEX:06d}.pickle.pbz2").write_bytes(bz2.compress(content))
    return there


def packed_form(folder: Path, content: bytes) -> Path:
    (folder / "table.pickle.pbz2").write_bytes(bz2.compress(content))
    return folder / "table.pickle.pbz2"


def zip_form(folder: Path, content: bytes) -> Path:
    with zipfile.ZipFile(folder / "table.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("table/data.pkl", content)
    return folder / "table.pth"


def legacy_form(folder: Path, content: bytes) -> Path:
    head = b"".join(pickle.dumps(part, protocol=2) for part in (MAGIC, 1001, {"little_endian": True}))
    (folder / "table.pth").write_bytes(head + content)
    return folder / "table.pth"


def wheel_form(folder: Path, content: bytes) -> Path:
    with zipfile.ZipFile(folder / "analog.whl", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("analognasbench/data.anb", content)
    return folder / "analog.whl"


FORMS: dict[str, Callable[[Path, bytes], Path]] = {
    "archive folder": folder_form, "pickle": packed_form, "zip": zip_form, "old torch": legacy_form,
    "wheel": wheel_form,
}  # fmt: skip


def whole(form: str, content: Any) -> bytes:
    """The pickle of an entry as a form has it."""
    if form != "archive folder":
        content = {"meta_archs": [cell()], "arch2infos": {INDEX: content}, "evaluated_indexes": [INDEX]}
    return pickle.dumps(content, protocol=2)


def attack(folder: Path, form: str, content: bytes, known: frozenset[float]) -> str | None:
    """Add a file; where it is taken, every number of the table must be one that stands in the file."""
    path = FORMS[form](folder, content)
    ended = command(["tables", "add", path, "--name", "attacked", "--jobs", "1"], folder)
    if fault := ended.fault():
        return f"{form}: {fault}"
    if "not enough memory" in ended.err:
        return f"{form}: it asked for memory without a bound"
    return None if ended.code else wrong_numbers(folder, known)


def wrong_numbers(folder: Path, known: frozenset[float]) -> str | None:
    from harness.tables.table import Table

    table = Table(folder / "cache" / "tables" / "attacked")
    for column in table.columns:
        for value in table.row_values(column.measure, column.trial):
            if not math.isnan(value) and float(value) not in known:
                return f"wrong number: {value} in {column}"
    return None


def leaves(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for inside in value.values():
            yield from leaves(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from leaves(inside)
    elif isinstance(value, int | float):
        yield float(value)
