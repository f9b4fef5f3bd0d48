"""Whether what a space declares fits together: a slip in somebody's own space is a sentence before any search."""

from __future__ import annotations

import traceback
from pathlib import Path

import numpy as np

from harness.core.errors import HarnessError
from harness.spaces.base import Architecture, Space

DRAWN = 4
"""Architectures that are looked at: what is wrong in one is mostly wrong in all."""


def check_space(space: Space) -> None:
    """Raise an error that says what of the space does not fit; milliseconds, no torch.

    Raises:
        HarnessError: a declared operation that no choice has, or architectures that do not come back from their string
            or their mixing weights. `testing.contracts.SpaceContract` looks at far more.
    """
    try:
        check_names(space)
        rng = np.random.default_rng(0)
        for _ in range(DRAWN):
            check_architecture(space, rng)
    except HarnessError:
        raise
    except Exception as error:  # a space of one's own can fail in any way
        raise HarnessError(f"the space {space.name} fails: {locate_error(error)}") from error


def check_names(space: Space) -> None:
    """Whether the operations that the space names are those of its choices."""
    offered = {name for t in space.tensors if t.kind == "operations" for row in t.options for name in row}
    declared: dict[str, set[str | None]] = {
        "zero": {space.zero},
        "skip": {space.skip},
        "parameter_free": {*space.parameter_free},
    }
    known = {*offered, *space.operations, None}
    for field, names in declared.items():
        if absent := [*(names - known)]:
            raise HarnessError(f"{field} of the space {space.name} names {absent[0]!r}, which no choice offers")
    if unlisted := sorted(offered - {*space.operations}):
        raise HarnessError(f"a choice of the space {space.name} offers {unlisted[0]!r}, which `operations` lacks")


def check_architecture(space: Space, rng: np.random.Generator) -> None:
    """Whether a random architecture is what its own string and mixing weights give."""
    drawn = space.random(rng)
    mix = space.mix(drawn)
    if (shapes := tuple(np.shape(m) for m in mix)) != space.alpha_shapes:
        raise HarnessError(
            f"mix({drawn.encoding!r}) of the space {space.name} has the shapes {shapes}, and its tensors declare "
            f"{space.alpha_shapes}"
        )
    space.graph(drawn), space.canonical_key(drawn)
    for what, found in (("derive(mix(..))", space.derive(mix)), ("parse", parse_written(space, drawn.encoding))):
        if found != drawn:
            told = repr(found.encoding) if isinstance(found, Architecture) else repr(found)
            raise HarnessError(
                f"{what} of the space {space.name} makes {told} of {drawn.encoding!r}: it has to give the "
                "architecture back"
            )


def parse_written(space: Space, encoding: str) -> Architecture:
    """What the space reads in a string that it wrote."""
    try:
        return space.parse(encoding)
    except HarnessError as error:
        raise HarnessError(f"parse of the space {space.name} refuses {encoding!r}, its own encoding: {error}") from None


def locate_error(error: BaseException) -> str:
    """The error with the last place in the code, PyTorch's left aside, where it arose."""
    frames = traceback.extract_tb(error.__traceback__)
    last = next((f for f in reversed(frames) if "torch" not in Path(f.filename).parts), frames[-1])
    words = str(error).splitlines() or [""]
    return f"{type(error).__name__} in {last.filename}, line {last.lineno}: {words[0]:.160}"
