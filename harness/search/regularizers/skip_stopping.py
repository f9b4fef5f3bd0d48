"""DARTS+: stop when the derived cell has too many skip connections."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness.search.naming import NamedUse
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import ARCHITECTURE_STEPS
from harness.search.state import SearchState
from harness.search.steps import Moment


class SkipStopping(Regularizer):
    """Stop at the last architecture before the derived one has `skips` or more skip connections.

    Liang et al., DARTS+ (arXiv 1909.06035), criterion 1: two or more in a normal cell. Adapted: the cell is the one of
    the space; NAS-Bench-1Shot1 has no skip operation, so there it never stops.
    """

    name = "skip-stopping"
    paper = "Liang et al. (1909.06035)"
    lacks = "no code of its authors was recorded"
    methods: ClassVar = {"darts-plus": NamedUse()}
    needs = (ARCHITECTURE_STEPS,)
    neutral: ClassVar[dict[str, Any]] = {"skips": 1_000}
    status = "adapted"
    skips: int = Field(2, ge=1)
    """Skip connections at which the search stops."""

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        if search.derive().operations.count(search.space.skip) >= self.skips:
            search.stop_at(search.memory.get(self.name) or search.alphas)
        else:
            search.memory[self.name] = [a.detach().clone() for a in search.alphas]
