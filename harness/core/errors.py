"""Errors that a person can act on: one sentence saying what, where and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class HarnessError(ValueError):
    """Bad input or a bad environment: one sentence that says what, where, and what to do.

    The command line prints the sentence and exits with code 2.

    Example:
        >>> import harness
        >>> try:
        ...     harness.open_table("nasbench202")
        ... except harness.HarnessError as error:
        ...     print(error)
        unknown table 'nasbench202': did you mean 'nasbench201' or ...
    """


class MissingDataError(HarnessError):
    """What is published was not fetched yet; the sentence says how.

    Example:
        >>> import harness
        >>> try:
        ...     harness.open_table("nasbench1shot1.s1")
        ... except harness.MissingDataError as error:
        ...     print("harness tables fetch" in str(error))
        True
    """


class InvalidStudyError(HarnessError):
    """A study that cannot be run as it is written; the sentence names the key.

    Example:
        >>> import harness
        >>> try:
        ...     harness.plan({"name": "mine", "space": "nasbench201", "dataset": "digits100", "methods": ["darts"]})
        ... except harness.InvalidStudyError as error:
        ...     print(error)
        study mine.toml needs the key ...: add it
    """


def suggest_names(name: str, known: Iterable[str]) -> str:
    """A clause that names the closest known names, or lists all when none is close."""
    options = sorted(known)
    close = difflib.get_close_matches(name, options, n=3, cutoff=0.5)
    if close:
        return "did you mean " + " or ".join(repr(c) for c in close) + "?"
    return "choose from: " + ", ".join(options)
