"""TOML and JSON that a person, or an enemy, wrote: bounded in size and depth; what is wrong is a ValueError."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError

LARGEST = 1 << 20
"""Bytes of a file. The studies of this project have some 1,000."""
DEEP = re.compile(r"(?:\.[ \t]*+[\w\"'-]++[ \t]*+){100}")
"""A key of more parts than any setting has: the parser needs their square in memory."""


def read_toml(path: Path, what: str) -> dict[str, Any]:
    """The content of a file. what: it is to be, for the errors: a study, a cluster's file."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise HarnessError(f"{path} has more than {LARGEST:,} bytes and is no {what}: check the path")
        return parse_toml(raw.decode())
    except HarnessError:
        raise
    except FileNotFoundError:
        raise HarnessError(f"no {what} file at {path}: check the path") from None
    except IsADirectoryError:
        raise HarnessError(
            f"{path} is a folder, and no {what} file: name the file in which the {what} is written"
        ) from None
    except OSError as error:
        raise HarnessError(f"{path} cannot be read as a {what} ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise HarnessError(f"{path} cannot be read as a {what} ({error}): it is no text") from None
    except ValueError as error:
        raise HarnessError(f"{path} is not valid TOML: {error}") from None


def parse_toml(text: str) -> dict[str, Any]:
    """The content of a text; ValueError where it is none, or nested deeper than any settings are."""
    if DEEP.search(text):
        raise ValueError("a key has more than 100 parts")
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def parse_json(text: str | bytes) -> Any:
    """The content of a text; ValueError where it is none, or nested deeper than any file of ours is."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
