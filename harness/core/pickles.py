"""Reading pickles that come from elsewhere, without running anything that is in them.

A pickle names the callables that rebuild its objects. Here every admitted name stands for a function of this file, so
that nothing is imported, and every other name ends the reading with a sentence. Two readers share this: `load` for
small files (C speed), and `StreamUnpickler` for files of gigabytes, which hands each finished part to a callback and
forgets it.
"""

from __future__ import annotations

import pickle
import re
from array import array
from collections import OrderedDict
from collections.abc import Callable
from typing import IO, Any, ClassVar

import numpy as np

from harness.core.errors import HarnessError


class Refused(HarnessError):
    """The pickle names something that its format does not need."""


class _Dtype:
    """A numpy dtype in a pickle: one of numbers only, rebuilt from its code and byte order."""

    def __init__(self, code: str | bytes, *_: Any) -> None:
        text = code.decode() if isinstance(code, bytes) else code
        if not re.fullmatch(r"[<>=|]?[fiub][1248]", text):
            raise Refused(f"it holds numpy data of the type {text!r}, and only numbers are admitted")
        self.dtype = np.dtype(text)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order = state[1].decode() if isinstance(state[1], bytes) else state[1]
        if order in ("<", ">", "="):
            self.dtype = np.dtype(order + self.dtype.str[1:])


class _Array:
    """A numpy array in a pickle; `numpy.asarray` gives it."""

    def __init__(self, *_: Any) -> None:
        self.values = np.empty(0)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, dtype, fortran, raw = state
        flat = np.frombuffer(_as_bytes(raw), dtype.dtype)
        self.values = flat.reshape(shape, order="F" if fortran else "C")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.values, dtype=dtype)


def _scalar(dtype: _Dtype, raw: bytes | str) -> Any:
    return np.frombuffer(_as_bytes(raw), dtype.dtype, count=1)[0].item()


def _as_bytes(raw: bytes | str) -> bytes:
    return raw.encode("latin1") if isinstance(raw, str) else raw


def _encode(text: str, _: str) -> bytes:
    return text.encode("latin1")


NUMPY: dict[tuple[str, str], Any] = {
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("_codecs", "encode"): _encode,
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in ("core", "_core")},
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _Array for core in ("core", "_core")},
}
"""What numpy's numbers and arrays of numbers need."""

CONTAINERS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("builtins", "set"): set,
    ("__builtin__", "set"): set,  # as the old protocols name it
}


class Restricted:
    """Looks names up in `admitted` alone."""

    admitted: dict[tuple[str, str], Any]

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.admitted[module, name]
        except KeyError:
            raise Refused(f"it asks for {module}.{name}, which this format does not need") from None

    def persistent_load(self, pid: Any) -> Any:
        raise Refused(f"it refers to tensors outside the pickle ({pid!r:.60}), which this format does not need")


class _Small(Restricted, pickle.Unpickler):
    pass


def load(stream: IO[bytes], where: object, admitted: dict[tuple[str, str], Any], *, encoding: str = "ASCII") -> Any:
    """The content of a small pickle. `where` begins the error sentences."""
    reader = _Small(stream, encoding=encoding)
    reader.admitted = admitted
    return guarded(reader.load, where)


def guarded(read: Callable[[], Any], where: object) -> Any:
    """What `read` gives; anything wrong with the file becomes one sentence."""
    try:
        return read()
    except Refused as error:
        raise HarnessError(f"{where} is refused: {error}; nothing of it was run") from None
    except HarnessError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way
        raise HarnessError(f"{where} is damaged, truncated or no pickle of this format ({error!r:.200})") from None


class Memo:
    """The objects that a pickle stream may refer back to, in four bytes each.

    Strings are kept once however often they are repeated; dicts and lists that are long or hold others only until
    `forget`. Both are what the hundreds of millions of entries of a large file consist of.
    """

    SMALL = 8

    def __init__(self) -> None:
        self._codes = array("i")
        self._strings: list[str] = []
        self._code_of: dict[str, int] = {}
        self._objects: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._codes)

    def __setitem__(self, index: int, value: Any) -> None:
        if index > len(self._codes) + 1_000_000:
            raise ValueError(f"memo index {index} is far ahead of the stream")
        if index >= len(self._codes):
            self._codes.extend([-1] * (index + 1 - len(self._codes)))
        if type(value) is str:
            code = self._code_of.get(value)
            if code is None:
                code = self._code_of[value] = len(self._strings)
                self._strings.append(value)
            self._codes[index] = code
        else:
            self._codes[index] = -1
            self._objects[index] = value

    def __getitem__(self, index: int) -> Any:
        code = self._codes[index]
        if code >= 0:
            return self._strings[code]
        if index not in self._objects:
            raise Refused("a part of it shares data with an earlier part, which this format does not do")
        return self._objects[index]

    def forget(self, since: int) -> None:
        """Drop the dicts and lists from index `since` on, except short plain ones, which later parts may share."""
        for index in range(since, len(self._codes)):
            value = self._objects.get(index) if self._codes[index] < 0 else None
            if isinstance(value, dict | list):
                inside = value.values() if isinstance(value, dict) else value
                if len(value) > self.SMALL or any(isinstance(v, dict | list) for v in inside):
                    del self._objects[index]


class StreamUnpickler(Restricted, pickle._Unpickler):
    """Reads a pickle in bounded memory (in Python: the C reader has no place to look in).

    part: called with each finished dict, before it is put into what holds it; where it returns True the dict has been
    taken over and is emptied, with all that it held.
    """

    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(self, stream: IO[bytes], admitted: dict[tuple[str, str], Any], part: Callable[[Any], bool]) -> None:
        super().__init__(stream)
        self.admitted, self._part = admitted, part
        self.memo = Memo()
        self._taken_up_to = 0

    def load_setitems(self) -> None:
        super().load_setitems()  # type: ignore[misc]
        self._offer()

    def load_setitem(self) -> None:
        super().load_setitem()  # type: ignore[misc]
        self._offer()

    def _offer(self) -> None:
        done = self.stack[-1]  # type: ignore[attr-defined]
        if self._part(done):
            done.clear()
            self.memo.forget(self._taken_up_to)
            self._taken_up_to = len(self.memo)

    dispatch[pickle.SETITEMS[0]] = load_setitems
    dispatch[pickle.SETITEM[0]] = load_setitem
