"""Opcodes of pickles that take time or memory without end, or call what they should not, and places for them."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable

from benchmarks.reliability.pickle_files import INDEX, dumped

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
