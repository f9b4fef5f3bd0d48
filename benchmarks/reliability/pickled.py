"""Hostile pickles, in every form of file that holds one: refused in a sentence, or read as the numbers in them."""

from __future__ import annotations

import bz2
import copy
import math
import pickle
import struct
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from benchmarks.reliability.case import Case
from benchmarks.reliability.contained import command

INDEX, EPOCHS, SEED = 11, 200, 777
MAGIC = 0x1950A86A20F9469CFC6C


def cell() -> str:
    from harness.spaces.nasbench201.space import official_cells, to_string

    return to_string(official_cells()[INDEX])


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
        for value in table.vector(column.measure, column.trial):
            if not math.isnan(value) and float(value) not in known:
                return f"wrong number: {value} in {column}"
    return None


# -- what was found ----------------------------------------------------------------------------------------------


GET, KEEP = pickle.BINGET + b"\xc8", pickle.BINPUT + b"\xc8" + pickle.POP


def bomb(depth: int = 40, wide: int = 2) -> bytes:
    """Opcodes of a tuple of shared tuples: 2^40 parts in some 200 bytes."""
    level = pickle.MARK + GET * wide + pickle.TUPLE + KEEP
    return pickle.BININT1 + b"\x01" + pickle.TUPLE1 + KEEP + level * depth + GET


def shared(kind: bytes, close: bytes, depth: int = 60) -> bytes:
    """Opcodes of lists or dicts that share their parts."""
    inside = GET * 2 if close == pickle.APPENDS else b"".join(dumped(k) + GET for k in (1, 2))
    return kind + KEEP + (kind + pickle.MARK + inside + close + KEEP) * depth + GET


def doubled(depth: int = 60) -> bytes:
    return pickle.BININT1 + b"\x01" + (pickle.DUP + pickle.TUPLE2) * depth


def late(depth: int = 60) -> bytes:
    """Lists that are shared while they are empty and filled afterwards."""
    made = b"".join(pickle.EMPTY_LIST + pickle.BINPUT + bytes([level]) + pickle.POP for level in range(depth))
    get = [pickle.BINGET + bytes([level]) for level in range(depth)]
    fill = b"".join(
        get[level] + pickle.MARK + get[level + 1] * 2 + pickle.APPENDS + pickle.POP for level in range(depth - 1)
    )
    return made + fill + get[0]


BOMBS: dict[str, Callable[[], bytes]] = {
    "tuples that share": bomb,
    "wide tuples that share": lambda: bomb(4, 3000),
    "lists that share": lambda: shared(pickle.EMPTY_LIST, pickle.APPENDS),
    "dicts that share": lambda: shared(pickle.EMPTY_DICT, pickle.SETITEMS),
    "doubled tuples": doubled,
    "lists filled late": late,
    "deep tuples": lambda: pickle.EMPTY_TUPLE + pickle.TUPLE1 * 1_000_000,
    "deep lists": lambda: pickle.EMPTY_LIST * 200_000 + pickle.APPEND * 199_999,
    "many empty lists": lambda: pickle.MARK + pickle.EMPTY_LIST * 30_000_000 + pickle.LIST,
    "many empty sets": lambda: pickle.PROTO + b"\x04" + pickle.MARK + pickle.EMPTY_SET * 20_000_000 + pickle.LIST,
    "a gigabyte of zeros": lambda: pickle.BINBYTES + struct.pack("<I", 1 << 30) + bytes(1 << 30),
    "text of a declared terabyte": lambda: pickle.BINUNICODE8 + struct.pack("<Q", 1 << 40),
    "buffer of a declared terabyte": lambda: pickle.BYTEARRAY8 + struct.pack("<Q", 1 << 33),
    "frame of a declared terabyte": lambda: pickle.FRAME + struct.pack("<Q", 1 << 40),
    "number of a gigabyte": lambda: pickle.LONG4 + struct.pack("<i", 1 << 30) + b"\x01" * (1 << 20),
    "number of 10,000 digits": lambda: pickle.LONG + b"9" * 10_000 + b"L\n",
    "memo far ahead": lambda: pickle.NONE + pickle.LONG_BINPUT + struct.pack("<I", (1 << 32) - 1),
    "line without end": lambda: pickle.UNICODE + b"a" * (1 << 29),
    "a function's own fields": lambda: (
        pickle.GLOBAL + b"_codecs\nencode\n" + pickle.EMPTY_DICT + dumped("__doc__") + dumped("x") + pickle.SETITEM
        + pickle.BUILD
    ),
    "a class's own fields": lambda: (
        pickle.GLOBAL + b"numpy\nndarray\n" + pickle.NONE + pickle.EMPTY_DICT + dumped("__array__") + dumped(1)
        + pickle.SETITEM + pickle.TUPLE2 + pickle.BUILD
    ),
    "ordered pairs with a bomb": lambda: (
        pickle.GLOBAL + b"collections\nOrderedDict\n" + pickle.EMPTY_LIST + bomb() + pickle.NONE + pickle.TUPLE2
        + pickle.APPEND + pickle.TUPLE1 + pickle.REDUCE
    ),
    "a set of bombs": lambda: (
        pickle.GLOBAL + b"__builtin__\nset\n" + pickle.EMPTY_LIST + bomb() + pickle.APPEND + pickle.TUPLE1
        + pickle.REDUCE
    ),
    "a frozen set of bombs": lambda: pickle.PROTO + b"\x04" + pickle.MARK + bomb() + pickle.FROZENSET,
    "os.system": lambda: pickle.GLOBAL + b"os\nsystem\n" + dumped("true") + pickle.TUPLE1 + pickle.REDUCE,
    "a persistent tensor": lambda: bomb() + pickle.BINPERSID,
    "an array of another shape": lambda: array_of(b"(I1000000000\nI1000000000\nt"),
    "an array of a nested shape": lambda: array_of(bomb()),
    "an array of objects": lambda: array_of(b"(I1\nt", "O8"),
}  # fmt: skip


def array_of(shape: bytes, code: str = "f8") -> bytes:
    dtype = pickle.GLOBAL + b"numpy\ndtype\n" + dumped(code) + pickle.TUPLE1 + pickle.REDUCE
    made = pickle.GLOBAL + b"numpy.core.multiarray\n_reconstruct\n" + pickle.EMPTY_TUPLE + pickle.REDUCE
    raw = dumped(b"12345678")
    state = pickle.MARK + dumped(1) + shape + dtype + pickle.NEWFALSE + raw + pickle.TUPLE
    return made + state + pickle.BUILD


def placed(opcodes: bytes) -> dict[str, bytes]:
    """Opcodes as the whole, as a key, as a value, and as members of an entry."""
    head = pickle.PROTO + b"\x02"
    as_key = head + pickle.EMPTY_DICT + opcodes + pickle.NONE + pickle.SETITEM + pickle.STOP
    state = pickle.EMPTY_DICT + pickle.MARK
    inner = state + dumped("arch_index") + dumped(INDEX) + dumped("arch_str") + opcodes
    inner += dumped("all_results") + pickle.EMPTY_DICT + pickle.SETITEMS
    return {
        "whole": head + opcodes + pickle.STOP,
        "key": as_key,
        "schedule": head + pickle.EMPTY_DICT + dumped("200") + opcodes + pickle.SETITEM + pickle.STOP,
        "string": head + pickle.EMPTY_DICT + dumped("200") + inner + pickle.SETITEM + pickle.STOP,
    }


def named() -> Iterator[Case]:
    """Every bomb in every form, at every place; wheels; declared lengths; and the files as they should be."""
    numbers = frozenset(leaves(entry()))
    for form in list(FORMS)[:-1]:
        yield Case("pickles", f"{form}: as it should be", lambda f, o=form: attack(f, o, whole(o, entry()), numbers))
        for name, opcodes in BOMBS.items():
            large = name in ("many empty lists", "many empty sets", "a gigabyte of zeros", "line without end")
            for place in ("whole",) if large else placed(b""):
                yield Case(
                    "pickles", f"{form}: {name} as {place}",
                    lambda f, o=form, b=opcodes, p=place: attack(f, o, placed(b())[p], frozenset()),
                )  # fmt: skip
        for field, value in HOSTILE_FIELDS.items():
            changed = put(entry(), field, value)
            yield Case(
                "pickles", f"{form}: {field}", lambda f, o=form, c=changed: attack(f, o, whole(o, c), numbers)
            )  # fmt: skip
    wheel = frozenset((60.5, 50.25))
    yield Case("pickles", "wheel: as it should be", lambda f: attack(f, "wheel", wheel_content(), wheel))
    for name, opcodes in BOMBS.items():
        if name not in ("many empty sets", "line without end"):
            head = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT
            for place, content in {
                "whole": lambda b: placed(b)["whole"],
                "key": lambda b, h=head: h + b + architecture(dumped(1.0)) + pickle.SETITEM + pickle.STOP,
                "value": lambda b, h=head: h + dumped((0,) * 6) + b + pickle.SETITEM + pickle.STOP,
                "accuracy": lambda b, h=head: h + dumped((0,) * 6) + architecture(b) + pickle.SETITEM + pickle.STOP,
            }.items():
                yield Case(
                    "pickles", f"wheel: {name} as {place}",
                    lambda f, c=content, b=opcodes: attack(f, "wheel", c(b()), frozenset()),
                )  # fmt: skip
    for key in ((0,) * 5, (0,) * 7, (-1,) * 6, (9,) * 6, (0.0,) * 6, (True,) * 6, "012345", 5, None, ((0,),) * 6):
        content = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + dumped(key) + architecture(dumped(60.5))
        content += pickle.SETITEM + pickle.STOP
        yield Case("pickles", f"wheel: key {key}", lambda f, c=content: attack(f, "wheel", c, frozenset()))
    for value in (-1.0, 101.0, float("nan"), float("inf"), "50", None, [1.0], 10**400, True):
        content = pickle.PROTO + b"\x02" + pickle.EMPTY_DICT + dumped((0,) * 6) + architecture(dumped(value))
        content += pickle.SETITEM + pickle.STOP
        yield Case("pickles", f"wheel: accuracy {value!r:.20}", lambda f, c=content: attack(f, "wheel", c, frozenset()))


HOSTILE_FIELDS: dict[str, Any] = {
    "arch_index": -1, "arch_str": "|a~0|", "epochs": 10**9, "train_acc1es": {0: 1.0, 10**9 - 1: 2.0},
    "eval_acc1es": {"ori-test@999999999": 5.0}, "train_losses": {}, "latency": [], "flop": "many", "params": None,
}  # fmt: skip


def put(schedules: dict[str, Any], field: str, value: Any) -> dict[str, Any]:
    """The entry with another value of a field, in all of its results or above."""
    state = schedules["200"]
    for owner in (state, *state["all_results"].values()):
        if field in owner:
            owner[field] = value
    if field == "train_acc1es":
        for result in state["all_results"].values():
            result["epochs"] = 10**9
    return schedules


def leaves(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for inside in value.values():
            yield from leaves(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from leaves(inside)
    elif isinstance(value, int | float):
        yield float(value)


# -- what hypothesis makes ---------------------------------------------------------------------------------------


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), st.binary(max_size=20),
    st.sampled_from([10**9, 2**64, -1, 100.5, 1e300, "200", "ori-test@199", "a:b"]),
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inside: st.one_of(
        st.lists(inside, max_size=3), st.tuples(inside, inside),
        st.dictionaries(st.text(max_size=5), inside, max_size=3),
    ), max_leaves=6,
)  # fmt: skip


@st.composite
def hostile(draw: st.DrawFn) -> tuple[str, bytes, frozenset[float]]:
    """A form, the bytes of a pickle with a hostile value somewhere, cut, flipped or lengthened, and its numbers."""
    form = draw(st.sampled_from(list(FORMS)))
    if form == "wheel":
        content, numbers = wheel_content(), {60.5, 50.25}
        if draw(st.booleans()):
            value = draw(VALUES)
            numbers |= set(leaves(value))
            spot = dumped(60.5)
            content = content.replace(spot, dumped(value), 1)
    else:
        made = entry()
        for _ in range(draw(st.integers(0, 2))):
            node: Any = made
            while isinstance(node, dict) and node:
                key = draw(st.sampled_from(sorted(node, key=str)))
                if not isinstance(node[key], dict) or draw(st.integers(0, 3)) == 0:
                    node[key] = draw(VALUES)
                    break
                node = node[key]
        numbers = set(leaves(made))
        content = whole(form, made)
    if draw(st.integers(0, 2)):
        return form, content, frozenset(numbers)
    raw = bytearray(content)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(raw)))
        kind = draw(st.sampled_from(["flip", "cut", "insert", "opcode", "bomb"]))
        if kind == "flip" and place < len(raw):
            raw[place] ^= 1 << draw(st.integers(0, 7))
        elif kind == "cut":
            del raw[place : place + draw(st.integers(1, 40))]
        elif kind == "insert":
            raw[place:place] = draw(st.binary(max_size=8))
        elif kind == "opcode" and place < len(raw):
            raw[place] = draw(st.sampled_from(OPCODES))
        elif kind == "bomb":
            raw[place:place] = draw(st.sampled_from([bomb(), doubled(), late(), bomb(3, 50)]))
    return form, bytes(raw), FLIPPED


FLIPPED: frozenset[float] = frozenset()
"""A flipped bit of a number is another number: such files are looked at for their end alone."""
OPCODES = [v[0] for k, v in vars(pickle).items() if k.isupper() and isinstance(v, bytes) and len(v) == 1]


def fuzzed(made: tuple[str, bytes, frozenset[float]]) -> Case:
    form, content, numbers = made

    def run(folder: Path) -> str | None:
        fault = attack(folder, form, content, numbers)
        return None if numbers is FLIPPED and fault and fault.startswith("wrong number") else fault

    return Case("pickles", f"{form}: {len(content)} bytes", run)
