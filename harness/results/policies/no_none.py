"""The largest logits but those of the operation that gives nothing."""

from __future__ import annotations

import numpy as np

from harness.core.errors import HarnessError
from harness.results.policies.base import Policy
from harness.spaces.base import Architecture, Rows, Space


class NoNone(Policy):
    """The largest entry of every choice that is not the operation which gives nothing: DARTS' rule, and that of GAEA's
    search of NAS-Bench-201 (`exclude_zero`). A choice has to have another operation. Where the largest entries take no
    such operation, they are what is derived: other choices are left as they are."""

    name = "no-none"
    paper = "Liu et al., ICLR 2019 (1806.09055); Li et al., ICLR 2021 (2004.07802)"

    def derive(self, space: Space, logits: Rows) -> Architecture:
        if space.zero is None:
            raise HarnessError(f"{space.name} has no operation that gives nothing: the largest entries never take one")
        derived = space.derive(logits)
        if space.zero not in derived.operations:
            return derived
        rows = [np.array(tensor, dtype=float) for tensor in logits]
        for tensor, choices in zip(rows, space.tensors, strict=True):
            for row, options in enumerate(choices.options):
                tensor[row, [name == space.zero for name in options]] = tensor[row].min() - 1
        return space.derive(rows)
