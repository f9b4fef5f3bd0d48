"""The one-shot recurrent cell (Liu et al. 2019, section 3.1.2), in a language model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.sequences import Stretch
from harness.spaces.blocks.supernet import Supernet
from harness.spaces.recurrent.genotype import OPERATIONS, find_row
from harness.spaces.recurrent.language import ACTIVATIONS, PUBLISHED_NAMES, LanguageModel, Regularization, apply_mask


class RecurrentSupernet(LanguageModel, Supernet):
    """A mixed operation on every edge of a state to a node: the readable network.

    One batch norm without weights is shared by state 0, all nodes and all steps of the sequence. classes: words.
    regularization: see `Regularization`. The input is a `Stretch`.
    """

    published_names = PUBLISHED_NAMES
    mixed_cells = 1
    replays = False

    def __init__(
        self,
        *,
        channels: int,
        cells: int,
        classes: int,
        image_channels: int,
        nodes: int,
        last_word_untrained: bool,
        none_takes_mass: bool,
        regularization: dict[str, float] | None = None,
    ) -> None:
        Supernet.__init__(self)
        if cells != 1:
            raise HarnessError(f"a language model of recurrent cells has one cell, not {cells}: set supernet.cells = 1")
        self.none_takes_mass = none_takes_mass
        self.build(
            channels=channels,
            words=classes,
            nodes=nodes,
            last_word_untrained=last_word_untrained,
            regularization=regularization or {},
        )
        self.norm = nn.BatchNorm1d(channels, affine=False)

    def initialize(self, generator: torch.Generator) -> None:
        super().initialize(generator)
        self.norm.reset_running_stats()

    def tied(self) -> list[nn.Parameter]:
        return [self.embedding]

    @contextmanager
    def steady(self) -> Iterator[None]:
        usual, self.regularization = self.regularization, Regularization()
        try:
            with super().steady():
                yield
        finally:
            self.regularization = usual

    def shares(self, mix: Mix) -> Tensor:
        """The mixing weights of all operations but `none`, [edges, 4]."""
        shares = mix[0][:, 1:]
        if self.none_takes_mass:
            return shares
        total = shares.sum(dim=-1, keepdim=True)
        return shares / total.where(total > 0, torch.ones_like(total))

    def first_state(self, state: Tensor) -> Tensor:
        normed: Tensor = self.norm(state)
        return normed

    def later_states(self, state: Tensor, hidden_mask: Tensor | None, rest: Any) -> Sequence[Tensor]:
        """rest: the shares."""
        states = [state]
        for node, weight in enumerate(self.nodes):
            shares = rest[find_row(0, node) : find_row(0, node + 1)]
            states.append(self.norm(self.mixed(torch.stack(states), weight, shares, hidden_mask)))
        return states[1:]

    def mixed(self, states: Tensor, weight: Tensor, shares: Tensor, hidden_mask: Tensor | None) -> Tensor:
        """The sum over earlier states [states, columns, channels] and operations of what a node takes of them."""
        gate, update = (apply_mask(states, hidden_mask) @ weight).chunk(2, dim=-1)
        gate = gate.sigmoid()
        terms = []
        for place, operation in enumerate(OPERATIONS[1:]):
            found = states + gate * (ACTIVATIONS[operation](update) - states)
            terms.append((shares[:, place, None, None] * found).sum(dim=0))
        return sum(terms[1:], terms[0])

    def forward(self, x: Stretch, mix: Mix) -> Tensor:  # type: ignore[override]
        """Scores [rows * columns, words] of the word after each one."""
        return self.score_words(self.passed(x, self.shares(mix)).dropped)

    def cross_entropy(self, batch: tuple[Any, Tensor], mix: Mix) -> Tensor:
        return self.word_loss(self.passed(batch[0], self.shares(mix)).dropped, batch[1])

    def word_loss(self, dropped: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(self.score_words(dropped), labels)

    def training_loss(self, batch: tuple[Any, Tensor], mix: Mix) -> tuple[Tensor, Tensor]:
        return self.losses(batch, self.shares(mix))
