"""The language model of a derived cell, as it is trained to judge the cell: one edge a node, no batch norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from harness.spaces.base import Architecture
from harness.spaces.blocks.sequences import Stretch
from harness.spaces.recurrent.genotype import Cell, parse
from harness.spaces.recurrent.language import ACTIVATIONS, LanguageModel, apply_mask


class RecurrentModel(LanguageModel):
    """The language model of a cell.

    put_out: the states whose mean is the new hidden state (all but state 0, if not said). classes: words.
    """

    def __init__(
        self,
        cell: Cell,
        *,
        channels: int,
        classes: int,
        put_out: Sequence[int] | None = None,
        last_word_untrained: bool = False,
        regularization: dict[str, float] | None = None,
    ) -> None:
        super().__init__()
        self.cell = cell
        self.put_out = [*range(1, len(cell) + 1)] if put_out is None else [*put_out]
        self.build(
            channels=channels,
            words=classes,
            nodes=len(cell),
            last_word_untrained=last_word_untrained,
            regularization=regularization or {},
        )

    def later_states(self, state: Tensor, hidden_mask: Tensor | None, rest: Any) -> Sequence[Tensor]:
        states = [state]
        for (operation, source), weight in zip(self.cell, self.nodes, strict=True):
            before = states[source]
            gate, update = (apply_mask(before, hidden_mask) @ weight).chunk(2, dim=-1)
            states.append(before + gate.sigmoid() * (ACTIVATIONS[operation](update) - before))
        return [states[place] for place in self.put_out]

    def forward(self, x: Stretch) -> Tensor:
        """Scores [rows * columns, words] of the word after each one."""
        return self.score_words(self.passed(x, None).dropped)

    def training_loss(self, batch: tuple[Stretch, Tensor]) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy of a batch, and what a weight step descends."""
        return self.losses(batch, None)


class DerivedLanguageModel(RecurrentModel):
    """That of an architecture of the space. The cell is that of its key, so that cells that are numbered otherwise are
    one network."""

    def __init__(self, architecture: Architecture, *, nodes: int, **sizes: Any) -> None:
        super().__init__(parse(architecture.key, nodes), **sizes)
