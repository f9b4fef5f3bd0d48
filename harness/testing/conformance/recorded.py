"""How records of a method's published code are replayed, as the method's adapter says it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Meta = Mapping[str, Any]
"""What a published record says about itself."""
Arrays = Mapping[str, Any]
"""Its arrays, by their names."""


def read_recorded_noise(arrays: Arrays, prefix: str) -> dict[str, list[Tensor]]:
    """The uniform noise of a pass: prefix/noise/0, ..."""
    return {"alpha-noise": read_numbered(arrays, f"{prefix}/noise")}


def read_numbered(arrays: Arrays, prefix: str) -> list[Tensor]:
    """The tensors prefix/0, prefix/1, ... in order."""
    found: list[Tensor] = []
    while (key := f"{prefix}/{len(found)}") in arrays:
        found.append(torch.from_numpy(arrays[key]))
    return found


@dataclass(frozen=True)
class Recorded:
    """How records of a method's published code are replayed: said in `RECORDS` of its adapter, by the
    records' name of the method.

    method: what it is called here, in the preset `official`. fields: those of its parts that follow from what a record
    says about itself, {part: {field: value}}. training: those of `Training`. epochs: of the search, where what changes
    from epoch to epoch depends on them. draws: the random numbers of the passes under a prefix, by stream. logits: this
    searcher's logits of the recorded values, where it holds others; values: the recorded values of its logits.
    quantities: more of what is recorded, (ours, recorded) by name, of the search and the record's arrays: under
    `forward` at its beginning, and under each step after it. prepare: puts a network into the state that a recorded
    pass is of, where that is not the first epoch's. genotype: whether a recorded one is that of the search,
    where the method's code derives another kind of architecture than the space has. renamed: what its code calls a
    weight that the space's published code calls otherwise.
    """

    method: str
    fields: Callable[[Meta], dict[str, dict[str, Any]]] = lambda meta: {}
    training: Callable[[Meta], dict[str, Any]] = lambda meta: {}
    epochs: Callable[[Meta], int] = lambda meta: 1
    draws: Callable[[Arrays, str], dict[str, list[Tensor]]] = read_recorded_noise
    logits: Callable[[Tensor, Arrays], Tensor] = lambda values, arrays: values
    values: Callable[[Tensor, Meta], Tensor] = lambda logits, meta: logits
    quantities: Callable[[Any, Arrays, str], dict[str, tuple[Any, Any]]] = lambda search, arrays, prefix: {}
    prepare: Callable[[Any, Arrays, str], None] = lambda net, arrays, prefix: None
    genotype: Callable[[Any, str, Meta], bool] | None = None
    renamed: Callable[[str], str] = lambda name: name
