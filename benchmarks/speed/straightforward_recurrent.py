"""DARTS' one-shot recurrent network as one would write it from the paper: what `straightforward.py` is to the tables.

Its steps are those of the published code, at the published settings: SGD without momentum, gradients clipped at 0.25,
dropout that is the same at every step of the sequence, and a penalty on the change of the outputs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from straightforward import Search
from torch import Tensor, nn
from torch.nn import functional as F

ACTIVATIONS = (torch.tanh, torch.relu, torch.sigmoid, lambda u: u)
"""Of the operations after `none`."""


class SupernetRecurrent(nn.Module):
    """dropout: probabilities of `embedded`, `inside`, `hidden` and `output`. The input is (tokens, hidden state)."""

    def __init__(self, *, channels: int, words: int, nodes: int, dropout: dict[str, float]) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.empty(words, channels))
        self.bias = nn.Parameter(torch.empty(words))
        self.first = nn.Parameter(torch.empty(2 * channels, 2 * channels))
        self.nodes = nn.ParameterList(nn.Parameter(torch.empty(channels, 2 * channels)) for _ in range(nodes))
        self.norm = nn.BatchNorm1d(channels, affine=False)
        self.dropout = dropout

    def mask(self, place: str, like: Tensor) -> Tensor:
        """Of a whole sequence."""
        probability = self.dropout[place] if self.training else 0.0
        return like.new_ones(like.shape).bernoulli_(1 - probability) / (1 - probability)

    def cell(self, x: Tensor, hidden: Tensor, masks: tuple[Tensor, Tensor], mix: Tensor) -> Tensor:
        inside, kept = masks
        gate, update = (torch.cat([x * inside, hidden * kept], dim=1) @ self.first).chunk(2, dim=-1)
        states = self.norm(hidden + gate.sigmoid() * (update.tanh() - hidden)).unsqueeze(0)
        row = 0
        for weight in self.nodes:
            shares = mix[row : row + len(states)]
            gate, update = ((states * kept) @ weight).chunk(2, dim=-1)
            gate = gate.sigmoid()
            total = torch.zeros_like(hidden)
            for place, activation in enumerate(ACTIVATIONS):
                found = states + gate * (activation(update) - states)
                total = total + (shares[:, place + 1, None, None] * found).sum(dim=0)
            row += len(states)
            states = torch.cat([states, self.norm(total).unsqueeze(0)])
        return states[1:].mean(dim=0)

    def outputs(self, x: tuple[Tensor, Tensor], mix: Sequence[Tensor]) -> Tensor:
        """The hidden state after every row."""
        tokens, hidden = x
        embedded = F.embedding(tokens, self.embedding, padding_idx=len(self.embedding) - 1)
        embedded = embedded * self.mask("embedded", hidden)
        masks = self.mask("inside", hidden), self.mask("hidden", hidden)
        found = []
        for row in embedded:
            hidden = self.cell(row, hidden, masks, mix[0])
            found.append(hidden)
        return torch.stack(found)

    def scores(self, outputs: Tensor) -> Tensor:
        dropped = outputs * self.mask("output", outputs[0])
        return F.linear(dropped, self.embedding, self.bias).flatten(0, 1)

    def forward(self, x: tuple[Tensor, Tensor], mix: Sequence[Tensor]) -> Tensor:
        return self.scores(self.outputs(x, mix))


class RecurrentSearch(Search):
    """change: factor of the penalty."""

    net: SupernetRecurrent

    def __init__(
        self,
        net: SupernetRecurrent,
        alphas: Sequence[Tensor],
        method: str,
        epsilon: float,
        *,
        learning_rate: float,
        change: float,
    ) -> None:
        super().__init__(net, alphas, method, epsilon)
        self.change = change
        self.weights = torch.optim.SGD(net.parameters(), lr=learning_rate, weight_decay=5e-7)
        self.architecture = torch.optim.Adam(self.alphas, lr=3e-3, weight_decay=1e-3)
        self.clip = 0.25

    def loss(self, x: tuple[Tensor, Tensor], y: Tensor, mix: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        outputs = self.net.outputs(x, mix)
        loss = F.cross_entropy(self.net.scores(outputs), y)
        return loss, loss + self.change * (outputs[1:] - outputs[:-1]).square().mean()
