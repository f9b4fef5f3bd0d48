"""Arguments of the Python API: what can be taken for what is meant, and a sentence that names the argument for the
rest."""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.text import brief

MOST = 1 << 20
"""Of anything that is counted in an argument."""
_by_options = ContextVar("_by_options", default=False)
"""Whether who asks does so on the command line."""


@contextmanager
def speak_of_options() -> Iterator[None]:
    """Within this, sentences name arguments as the command line has them."""
    token = _by_options.set(True)
    try:
        yield
    finally:
        _by_options.reset(token)


def spell_argument(name: str, value: object = None) -> str:
    """An argument as who asks writes it: `--only error` on the command line, `only='error'` in Python, and its name
    alone without a value."""
    option = f"--{name.replace('_', '-')}" if _by_options.get() else name
    if value is None:
        return option
    told = f"{value:g}" if isinstance(value, float) else str(value) if _by_options.get() else repr(value)
    return f"{option} {told}" if _by_options.get() else f"{option}={told}"


def check_path(value: Any, argument: str) -> Path:
    """A path, of a text or a Path; ~ is the home."""
    if not isinstance(value, str | os.PathLike) or isinstance(os.fspath(value), bytes):
        raise HarnessError(f"{argument} = {brief(value)} is no path: write a text or a pathlib.Path")
    if "\0" in os.fspath(value):
        raise HarnessError(f"{argument} = {brief(os.fspath(value))} is no path: it holds a zero character")
    try:
        return Path(value).expanduser()
    except RuntimeError:
        raise HarnessError(f"{argument} = {brief(os.fspath(value))} names the home of nobody here") from None


def check_text(value: Any, argument: str, example: str) -> str:
    """A text. example: of one, for the error."""
    if not isinstance(value, str):
        raise HarnessError(f"{argument} = {brief(value)} is no text: write one, such as {example}")
    return value


def check_texts(value: Any, argument: str, example: str) -> list[str]:
    """A list of texts, of anything that gives them."""
    found = list(value) if isinstance(value, Iterable) and not isinstance(value, str | bytes | dict) else None
    if found is None or not all(isinstance(each, str) for each in found):
        raise HarnessError(f"{argument} = {brief(value)} is no list of texts: write one, such as {example}")
    return found


def check_names(value: Any, argument: str, example: str) -> list[str]:
    """A list of texts, of one or of anything that gives them."""
    return [value] if isinstance(value, str) else check_texts(value, argument, example)


def spell_seeds(value: Any, argument: str) -> str:
    """Seeds as a study's file has them: of a text, a whole number, a range, or anything that gives whole numbers."""
    if isinstance(value, str):
        return value
    try:
        numbers = [operator.index(each) for each in (value if isinstance(value, Iterable) else [value])]
    except TypeError:
        numbers = []
    if not numbers or isinstance(value, bool | bytes):
        raise HarnessError(f"{argument} = {brief(value)} names no seeds: write '0..9', 3, range(10) or [0, 2, 5]")
    return ",".join(map(str, numbers))


def spell_settings(value: Any, argument: str) -> list[str]:
    """Changes of a study as `--set` takes them: of such texts, or of a dictionary, nested or with dotted keys."""
    if not isinstance(value, Mapping):
        return check_names(value, argument, "{'training.batch_size': 32}")
    found = []
    for key, each in value.items():
        check_text(key, f"a key of {argument}", "'training.batch_size'")
        if isinstance(each, Mapping) and each:
            found += [f"{key}.{rest}" for rest in spell_settings(each, argument)]
            continue
        plain = each.item() if hasattr(each, "item") else each  # a number of numpy's
        if not is_setting(plain):
            raise HarnessError(f"{argument}[{key!r}] is no setting: write a text, number, truth value or list")
        found.append(f"{key}={json.dumps(plain)}")
    return found


def is_setting(value: Any) -> bool:
    """Whether a value can stand in a study's file as it stands in JSON."""
    if isinstance(value, list | tuple):
        return all(is_setting(each) for each in value)
    return isinstance(value, str | bool | int) or (isinstance(value, float) and math.isfinite(value))


def check_count(value: Any, argument: str) -> int:
    """A whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST:
        raise HarnessError(f"{argument} = {brief(value)} is no count: write a whole number from 1")
    return value
