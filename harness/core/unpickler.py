"""Reading a pickle of unknown origin in bounded time and memory.

A pickle can be small and ask for much: parts that share parts take exponential time to be hashed, compared or turned
into text, and three bytes can declare a billion. So what is read here is a tree of bounded size, hashed only where it
is flat.
"""

from __future__ import annotations

import pickle
from array import array
from collections.abc import Callable, Iterable
from itertools import islice
from typing import IO, Any, ClassVar

from harness.core.errors import HarnessError
from harness.core.text import brief


class Refused(HarnessError):
    """The pickle names something that its format does not need."""


class Rebuilt:
    """An object that stands for one of the pickle's: only such a one is given a state."""


SMALL = 8
"""Items of a container that parts may share."""
CONTAINS = (tuple, list, dict, set)


def is_flat(value: Any, *, tuples: bool = True) -> bool:
    """Whether a container is short and holds no other, but for short tuples of what is none."""
    inside = value.values() if isinstance(value, dict) else value
    return len(value) <= SMALL and all(
        not isinstance(v, CONTAINS) or (tuples and isinstance(v, tuple) and is_flat(v, tuples=False)) for v in inside
    )


def check_hashable(keys: Iterable[Any]) -> list[Any]:
    """Keys, if hashing them takes no time and no depth."""
    listed = list(keys)
    if any(isinstance(key, tuple) and not is_flat(key) for key in listed):
        raise Refused("a key of it is a tuple of tuples, or of many, which this format does not need")
    return listed


class Memo:
    """The objects that a pickle may refer back to, in four bytes each.

    Strings are kept once however often they are repeated; dicts and lists that are long or hold others only until
    `forget`. Both are what the hundreds of millions of entries of a large file consist of. A container that is referred
    back to is given as a copy if it is flat, and else not at all: what is read is a tree.
    """

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
        found = self._objects[index]
        if isinstance(found, CONTAINS):
            if not is_flat(found):
                raise Refused("parts of it share parts, which this format does not do")
            return found if isinstance(found, tuple) else found.copy()
        return found

    def forget(self, since: int) -> None:
        """Drop the dicts and lists from index `since` on, except short plain ones, which later parts may share."""
        for index in range(since, len(self._codes)):
            value = self._objects.get(index) if self._codes[index] < 0 else None
            if isinstance(value, dict | list) and not is_flat(value):
                del self._objects[index]


class Limited:
    """A stream of which only so many bytes are read, whatever a pickle declares and however well it is packed."""

    MOST = 1 << 28
    """Bytes without a part: the largest pickle that is read whole has 100 million."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.left = self.MOST

    def read(self, size: int) -> bytes:
        self.left -= size
        if self.left < 0:
            raise Refused(f"it holds, or declares, more than {self.MOST:,} bytes where this format has fewer")
        return self._stream.read(size)

    def readline(self) -> bytes:
        return self._stream.readline(self.left)


class SafeUnpickler(pickle._Unpickler):
    """Reads a pickle in Python: the reader in C has no place to look in.

    admitted: what the names in it stand for; every other one is refused. part: called with each finished dict, before
    it is put into what holds it; where it returns True the dict has been taken over and is emptied, with all that it
    held, so that memory is bounded whatever the file's size. Opcodes that the formats do not need are refused: those
    that make sharing without a name, buffers of a declared length, frozen sets, and objects of old classes.
    """

    MOST = 3_000_000
    """Opcodes without a part, seconds of reading: the largest pickle that is read whole has 2.2 million."""
    UNNEEDED = (
        pickle.DUP, pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER, pickle.FROZENSET, pickle.INST,
        pickle.OBJ, pickle.EXT1, pickle.EXT2, pickle.EXT4,
    )  # fmt: skip
    dispatch: ClassVar[dict[int, Any]] = dict(pickle._Unpickler.dispatch)

    def __init__(
        self,
        stream: IO[bytes],
        admitted: dict[tuple[str, str], Any],
        part: Callable[[Any], bool] | None = None,
        *,
        encoding: str = "ASCII",
    ) -> None:
        self._limited = Limited(stream)
        super().__init__(self._limited, encoding=encoding)
        self.admitted, self._part = admitted, part
        self.memo = Memo()
        self._taken_up_to = 0
        self._left = self.MOST

    def load(self) -> Any:
        """As in `pickle`, with a count."""
        unframer: Any = getattr(pickle, "_Unframer")(self._limited.read, self._limited.readline)  # noqa: B009
        self._unframer, self.proto = unframer, 0
        self.read, self.readinto, self.readline = unframer.read, unframer.readinto, unframer.readline
        self.metastack: list[Any] = []
        self.stack: list[Any] = []
        self.append = self.stack.append
        while self._left:
            self._left -= 1
            key = self.read(1)
            if not key:
                raise EOFError("it ends too early")
            if key == pickle.STOP:
                return self.stack.pop()
            self.dispatch[key[0]](self)
        raise Refused(f"it has more than {self.MOST:,} parts where this format has fewer")

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self.admitted[module, name]
        except KeyError:
            raise Refused(f"it asks for {module}.{name}, which this format does not need") from None

    def persistent_load(self, pid: Any) -> Any:
        raise Refused(f"it refers to tensors outside the pickle ({brief(pid)}), which this format does not need")

    def load_setitems(self) -> None:
        check_hashable(islice(self.stack, 0, None, 2))
        super().load_setitems()  # type: ignore[misc]
        self._offer()

    def load_setitem(self) -> None:
        check_hashable(self.stack[-2:-1])
        super().load_setitem()  # type: ignore[misc]
        self._offer()

    def load_dict(self) -> None:
        check_hashable(islice(self.stack, 0, None, 2))
        super().load_dict()  # type: ignore[misc]

    def load_additems(self) -> None:
        check_hashable(self.stack)
        super().load_additems()  # type: ignore[misc]

    def load_build(self) -> None:
        if not isinstance(self.stack[-2], Rebuilt):
            raise Refused("it changes what is not its own")
        super().load_build()  # type: ignore[misc]

    def load_unneeded(self) -> None:
        raise Refused("it is written in a way that this format does not need")

    def _offer(self) -> None:
        done = self.stack[-1]
        if self._part is not None and self._part(done):
            done.clear()
            self.memo.forget(self._taken_up_to)
            self._taken_up_to = len(self.memo)
            self._left, self._limited.left = self.MOST, Limited.MOST

    dispatch |= {
        pickle.SETITEMS[0]: load_setitems,
        pickle.SETITEM[0]: load_setitem,
        pickle.DICT[0]: load_dict,
        pickle.ADDITEMS[0]: load_additems,
        pickle.BUILD[0]: load_build,
        **dict.fromkeys((opcode[0] for opcode in UNNEEDED), load_unneeded),
    }
