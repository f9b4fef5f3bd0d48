"""Hostile pickles, in every form of file that holds one: refused in a sentence, or read as the numbers in them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from benchmarks.reliability.bombs import BOMBS, bomb, doubled, late, placed
from benchmarks.reliability.case import Case
from benchmarks.reliability.pickle_files import (
    FORMS,
    architecture,
    attack,
    dumped,
    entry,
    leaves,
    wheel_content,
    whole,
)

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
        untrained = entry()
        untrained["200"]["all_results"] = {}
        yield Case(
            "pickles", f"{form}: no training", lambda f, o=form, c=untrained: attack(f, o, whole(o, c), numbers)
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
