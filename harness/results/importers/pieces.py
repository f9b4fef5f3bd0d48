"""A search that was stopped and resumed leaves several logs: they are joined into one run where they agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.core.errors import HarnessError
from harness.results.importers.base import Epoch
from harness.spaces.base import Space

Piece = Sequence[Epoch]
"""The epochs of one process, ascending, seconds since it began."""


def join_pieces(pieces: Sequence[Piece], space: Space) -> tuple[list[Epoch], list[str]]:
    """The epochs of all runs, and a sentence for each that was put together.

    Pieces of one method and seed are one run. What a later piece has again must be what the earlier one has; its
    seconds count on from where it goes on, without the time between.

    Raises:
        HarnessError: two pieces hold the same epoch and differ; the sentence names both places.
    """
    runs: dict[tuple[str, int | None], list[Piece]] = {}
    for piece in pieces:
        if piece:
            runs.setdefault((piece[0].method, piece[0].seed), []).append(piece)
    epochs: list[Epoch] = []
    told = []
    for (method, seed), own in runs.items():
        # without a seed two logs cannot be told from two runs
        if len(own) > 1 and seed is None:
            raise HarnessError(
                f"{', '.join(place(piece[0]) for piece in own)} say no seed, neither in their arguments nor by their "
                f"names "
                "or their folders', so their runs cannot be told from each other: import them one at a time, with "
                "--seed"
            )
        known: dict[int, Epoch] = {}
        for piece in sorted(own, key=lambda p: (p[0].epoch, p[-1].epoch)):
            begun = 0.0
            if known:
                begun = known[max((e for e in known if e <= piece[0].epoch), default=min(known))].seconds
                told.append(
                    f"{place(piece[0])} goes on with {method}, seed {seed}, at epoch {piece[0].epoch}: it is one run, "
                    f"whose "
                    "seconds count on without the time between"
                )
            for epoch in piece:
                if epoch.epoch in known:
                    _check_agreement(known[epoch.epoch], epoch, space)
                else:
                    known[epoch.epoch] = replace(epoch, seconds=begun + epoch.seconds)
        epochs += [known[e] for e in sorted(known)]
    return epochs, told


def place(epoch: Epoch) -> str:
    """The file of an epoch."""
    return epoch.where.partition(", ")[0]


def _check_agreement(first: Epoch, second: Epoch, space: Space) -> None:
    """An error where two epochs of one run are not the same state. What is missing in one of them contradicts
    nothing."""
    numbers = [(first.accuracy, second.accuracy), (first.train_loss, second.train_loss)]
    numbers += list(zip(first.alphas, second.alphas, strict=False))
    differ = not is_same_cell(first.architecture, second.architecture, space) or any(
        a != b for a, b in numbers if not (math.isnan(a) or math.isnan(b))
    )
    if differ:
        raise HarnessError(
            f"{first.where} and {second.where} both hold epoch {first.epoch} of {first.method}, seed {first.seed}, and "
            "contradict each other: leave out what does not count, or import them apart, with other --method or --seed"
        )


def is_same_cell(first: str, second: str, space: Space) -> bool:
    """Whether two texts are one cell: a log may write the same one in two notations. What the space does not read is
    told elsewhere, with its place."""
    if first == second:
        return True
    try:
        return space.parse(first) == space.parse(second)
    except HarnessError:
        return False
