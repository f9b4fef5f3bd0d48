"""What the language models of this space share: embedding, locked dropout, a pass over a sequence, decoder.

Weights: embedding [words, channels], which is the decoder's matrix too; bias of the decoder [words]; first
[2 channels, 2 channels], of the input and the previous hidden state; nodes, one [channels, 2 channels] a node.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.core.streams import Make
from harness.spaces.blocks.sequences import Stretch
from harness.spaces.recurrent.decoder import compute_word_loss

INITIAL = 0.04
"""Initial weights are uniform up to it."""
STREAM = "locked-dropout"
"""How the names of the streams of dropout masks begin."""
PUBLISHED_NAMES = (
    (r"^embedding$", "encoder.weight"),
    (r"^bias$", "decoder.bias"),
    (r"^first$", "rnns.0._W0"),
    (r"^nodes\.(\d+)$", r"rnns.0._Ws.\1"),
    (r"^norm\.", "rnns.0.bn."),
)
ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "identity": lambda u: u,
}


class Masks:
    """The dropout masks of one pass, the same at every step of the sequence, scaled; None where nothing is dropped.

    words [words, 1] of the embedding; embedded [columns, channels] of what is embedded; inside and hidden, as large, of
    the input and of every state in the cell; output, as large.
    """

    def __init__(self, drawn: dict[str, Tensor | None]) -> None:
        self.words, self.embedded = drawn["words"], drawn["embedded"]
        self.inside, self.hidden, self.output = drawn["inside"], drawn["hidden"], drawn["output"]


def apply_mask(x: Tensor, mask: Tensor | None) -> Tensor:
    return x if mask is None else x * mask


class Regularization:
    """Dropout and activation regularization of a language model.

    Probabilities: words (whole rows of the embedding), embedded, inside (the input in the cell), hidden (the states in
    the cell), output. activation: factor of the mean squared output after dropout; change: of the mean squared
    difference of outputs that follow each other (Merity et al. 2017, arXiv 1708.02182, section 4.5).
    """

    def __init__(
        self,
        *,
        words: float = 0.0,
        embedded: float = 0.0,
        inside: float = 0.0,
        hidden: float = 0.0,
        output: float = 0.0,
        activation: float = 0.0,
        change: float = 0.0,
    ) -> None:
        self.probabilities = {
            "words": words,
            "embedded": embedded,
            "inside": inside,
            "hidden": hidden,
            "output": output,
        }
        self.activation, self.change = activation, change

    def masks(self, model: LanguageModel, columns: int) -> Masks:
        """New masks in train mode; none in eval mode."""
        words, channels = model.embedding.shape
        drawn: dict[str, Tensor | None] = {}
        for place, probability in self.probabilities.items():
            shape = (words, 1) if place == "words" else (columns, channels)
            drawn[place] = self._mask(model, place, shape, probability) if probability and model.training else None
        return Masks(drawn)

    def _mask(self, model: LanguageModel, place: str, shape: tuple[int, int], probability: float) -> Tensor:
        kept = model.draw(f"{STREAM}-{place}", lambda g: torch.rand(shape, generator=g) >= probability)
        return kept.view(shape).to(model.embedding) / (1 - probability)

    def terms(self, dropped: Tensor, outputs: Tensor) -> Tensor | None:
        """What they add to the loss of a weight step; outputs [rows, columns, channels] after and before dropout."""
        found = []
        if self.activation:
            found.append(self.activation * dropped.square().mean())
        if self.change:
            found.append(self.change * (outputs[1:] - outputs[:-1]).square().mean())
        return torch.stack(found).sum() if found else None


class Passed(NamedTuple):
    """What a pass gives: the hidden states [rows, columns, channels], before and after dropout."""

    outputs: Tensor
    dropped: Tensor


class LanguageModel(nn.Module):
    """Base of the language models.

    last_word_untrained: see `RecurrentPreset`. draw: where the random numbers of a pass come from.
    """

    draw: Callable[[str, Make], Tensor]

    def build(
        self, *, channels: int, words: int, nodes: int, last_word_untrained: bool, regularization: dict[str, float]
    ) -> None:
        """Make the weights, uninitialized."""
        self.embedding = nn.Parameter(torch.empty(words, channels))
        self.bias = nn.Parameter(torch.empty(words))
        self.first = nn.Parameter(torch.empty(2 * channels, 2 * channels))
        self.nodes = nn.ParameterList(nn.Parameter(torch.empty(channels, 2 * channels)) for _ in range(nodes))
        self.regularization = Regularization(**regularization)
        self.untrained_word = words - 1 if last_word_untrained else None

    def initialize(self, generator: torch.Generator) -> None:
        """Uniform weights, no bias."""
        with torch.no_grad():
            for weight in (self.embedding, self.first, *self.nodes):
                draw = torch.empty(weight.shape, dtype=weight.dtype)
                weight.copy_(draw.uniform_(-INITIAL, INITIAL, generator=generator))
            self.bias.zero_()

    @abstractmethod
    def later_states(self, state: Tensor, hidden_mask: Tensor | None, rest: Any) -> Sequence[Tensor]:
        """The states after state 0 whose mean is the new hidden state. rest: what a model needs besides."""

    def first_state(self, state: Tensor) -> Tensor:
        """State 0, as the nodes see it."""
        return state

    def hidden_states(self, stretch: Stretch, masks: Masks, rest: Any) -> Tensor:
        """The hidden state after every row, [rows, columns, channels]; the last one is noted in the stretch."""
        embedding = apply_mask(self.embedding, masks.words)
        x = apply_mask(F.embedding(stretch.tokens, embedding, padding_idx=self.untrained_word), masks.embedded)
        channels = self.first.shape[0] // 2
        from_input = apply_mask(x, masks.inside) @ self.first[:channels]
        hidden = x.new_zeros(x.shape[1:]) if stretch.state is None else stretch.state
        found = self.pass_rows(from_input, hidden, masks.hidden, rest)
        stretch.left = found[-1].detach()
        return found

    def pass_rows(self, from_input: Tensor, hidden: Tensor, mask: Tensor | None, rest: Any) -> Tensor:
        """The hidden state after every row. from_input [rows, columns, 2 channels]; hidden: before the first; mask: of
        all states in the cell."""
        of_hidden = self.first[hidden.shape[-1] :]
        found = []
        for row in from_input:
            gate, update = (row + apply_mask(hidden, mask) @ of_hidden).chunk(2, dim=-1)
            state = self.first_state(hidden + gate.sigmoid() * (update.tanh() - hidden))
            hidden = average_states(self.later_states(state, mask, rest))
            found.append(hidden)
        return torch.stack(found)

    def passed(self, stretch: Stretch, rest: Any) -> Passed:
        """One pass over a stretch."""
        masks = self.regularization.masks(self, stretch.tokens.shape[1])
        outputs = self.hidden_states(stretch, masks, rest)
        return Passed(outputs, apply_mask(outputs, masks.output))

    def score_words(self, dropped: Tensor) -> Tensor:
        """The scores [rows * columns, words] of the word after each one."""
        return F.linear(dropped.flatten(0, 1), self.embedding, self.bias)

    def word_loss(self, dropped: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy of the words [rows * columns] after each one."""
        return compute_word_loss(dropped.flatten(0, 1), self.embedding, self.bias, labels)

    def losses(self, batch: tuple[Stretch, Tensor], rest: Any) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy of a batch, and what a weight step descends."""
        outputs, dropped = self.passed(batch[0], rest)
        loss = self.word_loss(dropped, batch[1])
        terms = self.regularization.terms(dropped, outputs)
        return loss, loss if terms is None else loss + terms


def average_states(states: Iterable[Tensor]) -> Tensor:
    """The mean of several states."""
    return torch.stack([*states]).mean(dim=0)
