"""Reading pickles that come from elsewhere, without running anything that is in them.

A pickle names the callables that rebuild its objects. Here every admitted name stands for a function of this file, so
that nothing is imported, and every other name ends the reading with a sentence.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import IO, Any

import numpy as np

from harness.core.errors import HarnessError
from harness.core.text import brief
from harness.core.unpickler import Rebuilt, Refused, SafeUnpickler, check_hashable


class _Dtype(Rebuilt):
    """A numpy dtype in a pickle: one of numbers only, rebuilt from its code and byte order."""

    def __init__(self, code: str | bytes, *_: Any) -> None:
        text = code.decode() if isinstance(code, bytes) else code
        if not (isinstance(text, str) and re.fullmatch(r"[<>=|]?[fiub][1248]", text)):
            raise Refused(f"it holds numpy data of the type {brief(text)}, and only numbers are admitted")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        if order in ("<", ">", "="):
            self.dtype = np.dtype(order + self.dtype.str[1:])


class _Array(Rebuilt):
    """A numpy array in a pickle; `numpy.asarray` gives it."""

    def __init__(self, *_: Any) -> None:
        self.values = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        flat = np.frombuffer(_encode_bytes(raw), dtype.dtype)
        self.values = flat.reshape(shape, order="F" if fortran else "C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.values, dtype=dtype)


def _rebuild_scalar(dtype: _Dtype, raw: bytes | str) -> Any:
    return np.frombuffer(_encode_bytes(raw), dtype.dtype, count=1)[0].item()


def _encode_bytes(raw: bytes | str) -> bytes:
    return raw.encode("latin1") if isinstance(raw, str) else raw


def _encode(text: str, _: str) -> bytes:
    return text.encode("latin1")


def _rebuild_mapping(pairs: Iterable[Any] = ()) -> OrderedDict[Any, Any]:
    listed = [(key, value) for key, value in pairs]
    return OrderedDict(zip(check_hashable(key for key, _ in listed), (value for _, value in listed), strict=True))


def _set(items: Iterable[Any] = ()) -> set[Any]:
    return set(check_hashable(items))


NUMPY: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "scalar"): _rebuild_scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
}
"""What numpy's numbers and arrays of numbers need."""

CONTAINERS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): _rebuild_mapping,
    ("builtins", "set"): _set,
    ("__builtin__", "set"): _set,  # as the old protocols name it
}


def load(stream: IO[bytes], where: object, admitted: dict[tuple[str, str], Any], *, encoding: str = "ASCII") -> Any:
    """The content of a pickle that is read whole. `where` begins the error sentences."""
    return guard_unpickling(SafeUnpickler(stream, admitted, encoding=encoding).load, where)


def guard_unpickling(read: Callable[[], Any], where: object) -> Any:
    """What `read` gives; anything wrong with the file becomes one sentence."""
    try:
        return read()
    except Refused as error:
        raise HarnessError(f"{where} is refused: {error}; nothing of it was run") from None
    except (HarnessError, MemoryError):
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        said = f"{type(error).__name__}: {', '.join(map(brief, error.args))}"
        raise HarnessError(f"{where} is damaged, truncated or no pickle of this format ({said:.200})") from None
