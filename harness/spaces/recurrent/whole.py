"""A pass of the one-shot recurrent cell over a sequence, forward and backward, in one piece of code for a processor.

It gives what the cell gives that is computed row after row, to the last bit. What it saves: a state is stored and
masked once, not at every node that reads it; element-wise work is done on as much at a time as the processor's cache
holds, in buffers that are used again; what the backward pass needs of tanh and the sigmoid is not computed twice.

An edge of a state s gives P s + g (sum_k p_k f_k(u) - P s), P = sum_k p_k, with its gate g, update u and shares p.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from harness.spaces.recurrent.genotype import find_row

BLOCK = 100_000
"""Elements that element-wise work is done on at a time, at least those of one state."""


class Around(NamedTuple):
    """What a pass is besides its tensors. mask: of all states in the cell; mean, variance: the running ones of batch
    norm; batch: whether it takes those of the batch; differentiable: whether there will be a backward pass."""

    mask: Tensor | None
    mean: Tensor | None
    variance: Tensor | None
    batch: bool
    momentum: float
    epsilon: float
    differentiable: bool


class Node(NamedTuple):
    """What the backward pass needs of a node in a row: gates and updates side by side [states, columns, 2 channels] (or
    in place of the updates the slopes of the operations' sum, where no gradient of the shares is wanted), the
    activations, and `inner`, what the gates are multiplied by."""

    products: Tensor
    inner: Tensor
    tanh: Tensor | None
    sigmoid: Tensor | None


class PassedRow(NamedTuple):
    """What it needs of a row. entered: the masked hidden state before it; gate, tanh: of state 0. states, masked, and
    summed, which batch norm made them of: [1 + nodes, columns, channels]. statistics: of batch norm, a pair a state."""

    entered: Tensor
    gate: Tensor
    tanh: Tensor
    states: Tensor
    masked: Tensor
    summed: Tensor
    statistics: list[tuple[Tensor, Tensor]]
    nodes: list[Node]


class Cell:
    """The arithmetic of one row. first [channels, 2 channels]; weights, one [channels, 2 channels] a node; shares
    [edges, 4]. slopes: whether those of the operations' sum are kept for the backward pass."""

    def __init__(self, first: Tensor, weights: list[Tensor], shares: Tensor, around: Around, *, slopes: bool) -> None:
        self.first, self.weights, self.around, self.slopes = first, weights, around, slopes
        self.shares = [part[:, None, None] for part in shares.unbind(1)]
        self.whole = shares.sum(dim=1)[:, None, None]
        self.buffers: dict[str, Tensor] = {}

    def blocks(self, states: int, elements: int) -> Iterator[tuple[slice, slice]]:
        """The states that a node reads in groups, and the rows of their edges."""
        size, first = max(1, BLOCK // elements), find_row(0, states - 1)
        for begin in range(0, states, size):
            end = min(begin + size, states)
            yield slice(begin, end), slice(first + begin, first + end)

    def buffer(self, name: str, like: Tensor) -> Tensor:
        """One that is used again for every block of a size; `like` is read for its shape."""
        key = f"{name} {len(like)}"
        if key not in self.buffers:
            self.buffers[key] = like.new_empty(like.shape)
        return self.buffers[key]

    def masked(self, x: Tensor, into: Tensor | None = None) -> Tensor:
        return x if self.around.mask is None else torch.mul(x, self.around.mask, out=into)

    # -- forward ---------------------------------------------------------------------------------------------

    def enter(self, from_input: Tensor, hidden: Tensor, into: Tensor) -> PassedRow:
        """A row; its hidden state is put into a tensor."""
        count, around = 1 + len(self.weights), self.around
        entered = self.masked(hidden)
        gate, update = (from_input + entered @ self.first).chunk(2, dim=-1)
        gate, tanh = gate.sigmoid(), update.tanh()
        states, summed = hidden.new_empty((2, count, *hidden.shape)).unbind()
        masked = states if around.mask is None else torch.empty_like(states)
        torch.add(hidden, torch.sub(tanh, hidden).mul_(gate), out=summed[0])
        row = PassedRow(entered, gate, tanh, states, masked, summed, [], [])
        for state in range(count):
            if state:
                node = self.sum_node(row, state)
                if around.differentiable:
                    row.nodes.append(node)
            found, *statistics = torch.native_batch_norm(
                summed[state], None, None, around.mean, around.variance, around.batch, around.momentum, around.epsilon
            )
            states[state] = found
            row.statistics.append((statistics[0], statistics[1]))
            self.masked(states[state], masked[state])
        torch.mean(states[1:], dim=0, out=into)
        return row

    def sum_node(self, row: PassedRow, count: int) -> Node:
        """The sum of what a node takes of `count` earlier states."""
        products = row.masked[:count].flatten(0, 1) @ self.weights[count - 1]
        products = products.view(*row.states[:count].shape[:-1], -1)
        gates, updates = products.chunk(2, dim=-1)
        states, into = row.states[:count], row.summed[count]
        kept = [torch.empty_like(states)] if self.around.differentiable else []
        if kept and not self.slopes:
            kept += [torch.empty_like(states), torch.empty_like(states)]
        for block, edges in self.blocks(count, into.numel()):
            a, b, c, d = shares = [part[edges] for part in self.shares]
            gate, update, state = gates[block].sigmoid_(), updates[block], states[block]
            inner, tanh, sigmoid, other, past = (self.buffer(name, state) for name in "itsop")
            places = [own[block] for own in kept]
            inner, tanh, sigmoid = [*places, *(inner, tanh, sigmoid)[len(places) :]]
            torch.tanh(update, out=tanh)
            torch.sigmoid(update, out=sigmoid)
            torch.mul(tanh, a, out=inner)
            inner.addcmul_(torch.clamp_min(update, 0, out=other), b).addcmul_(sigmoid, c).addcmul_(update, d)
            inner.sub_(torch.mul(state, self.whole[edges], out=past))
            terms = torch.mul(inner, gate, out=other).add_(past)
            if block.start:
                for term in terms:
                    into.add_(term)
            else:
                torch.sum(terms, dim=0, out=into)
            if kept and self.slopes:
                self.find_slopes(update, tanh, sigmoid, shares, update)
        return Node(products, *[*kept, None, None, None][:3])  # type: ignore[arg-type]

    def find_slopes(self, update: Tensor, tanh: Tensor, sigmoid: Tensor, shares: list[Tensor], into: Tensor) -> Tensor:
        """Those of the sum of the operations of an update."""
        a, b, c, d = shares
        found = torch.sub(1, torch.square(tanh, out=self.buffer("q", tanh)), out=self.buffer("f", tanh)).mul_(a)
        found.add_(torch.ops.aten.threshold_backward(b.expand_as(update), update, 0))
        square = torch.square(sigmoid, out=self.buffer("q", tanh))
        found.addcmul_(torch.sub(sigmoid, square, out=square), c)
        return torch.add(found, d, out=into)

    # -- backward --------------------------------------------------------------------------------------------

    def leave(self, row: PassedRow, gradient: Tensor, total: Gradients) -> Tensor:
        """Of the gradient of a row's hidden state that of what batch norm made state 0 of; gradients of weights and
        shares are added up."""
        around, count = self.around, len(self.weights)
        averaged = gradient / count
        of_states: list[Any] = [None, *[averaged] * count]
        of_sum = gradient
        for state in reversed(range(1 + count)):
            (of_sum, *_) = torch.ops.aten.native_batch_norm_backward(
                *(of_states[state], row.summed[state], None, around.mean, around.variance, *row.statistics[state]),
                *(around.batch, around.epsilon, [True, False, False]),
            )
            if state:
                of_read = self.leave_node(row, state, of_sum, total)
                for place, each in enumerate(of_read):
                    before = of_states[place]
                    # `averaged` is that of every state: the first sum is a new tensor
                    of_states[place] = (
                        each if before is None else before + each if before is averaged else before.add_(each)
                    )
        return of_sum

    def leave_node(self, row: PassedRow, count: int, gradient: Tensor, total: Gradients) -> Tensor:
        """Of the gradient of a node's sum those of the states that it read."""
        node, states, wants = row.nodes[count - 1], row.states[:count], total.shares is not None
        gates, updates = node.products.chunk(2, dim=-1)
        of_products, of_states = torch.empty_like(node.products), torch.empty_like(states)
        of_gates, of_updates = of_products.chunk(2, dim=-1)
        found = [torch.empty_like(states) for _ in range(5)] if wants else []
        for block, edges in self.blocks(count, gradient.numel()):
            gate, update, state = gates[block], updates[block], states[block]
            through = torch.mul(gradient, gate, out=self.buffer("t", state))
            past = torch.sub(gradient, through, out=of_states[block])
            slopes = update
            if node.tanh is not None and node.sigmoid is not None:
                tanh, sigmoid = node.tanh[block], node.sigmoid[block]
                slopes = self.find_slopes(
                    update, tanh, sigmoid, [s[edges] for s in self.shares], self.buffer("s", state)
                )
                if wants:
                    torch.mul(past, state, out=found[0][block])
                    rectified = torch.clamp_min(update, 0, out=self.buffer("o", state))
                    for place, part in enumerate((tanh, rectified, sigmoid, update), start=1):
                        torch.mul(through, part, out=found[place][block])
            past.mul_(self.whole[edges])
            of_gate = torch.mul(node.inner[block], through, out=self.buffer("o", state))
            torch.mul(of_gate, torch.sub(1, gate, out=self.buffer("p", state)), out=of_gates[block])
            torch.mul(slopes, through, out=of_updates[block])
        if wants:
            beside, *parts = (each.sum((1, 2)) for each in found)
            total.add_shares(count, torch.stack([part + beside for part in parts], dim=1))
        flat = of_products.flatten(0, 1)
        total.add_weight(count, row.masked[:count].flatten(0, 1), flat)
        of_masked = (flat @ self.weights[count - 1].t()).view_as(of_states)
        return of_states.add_(self.masked(of_masked, of_masked))


class Gradients:
    """Those of the weights, the first one before the nodes', and of the shares, that are wanted, summed row after
    row."""

    def __init__(self, wanted: list[bool], shares: Tensor | None) -> None:
        self.weights: list[Tensor | None] = [None] * len(wanted)
        self.wanted, self.shares = wanted, None if shares is None else torch.zeros_like(shares)

    def add_weight(self, place: int, read: Tensor, gradient: Tensor) -> None:
        """read, gradient: what the weight was multiplied with, and of the product."""
        if self.wanted[place]:
            product, before = read.t() @ gradient, self.weights[place]
            self.weights[place] = product if before is None else before.add_(product)

    def add_shares(self, count: int, gradient: Tensor) -> None:
        assert self.shares is not None
        self.shares[find_row(0, count - 1) : find_row(0, count)] += gradient


class RecurrentPass(torch.autograd.Function):
    """The hidden states after every row, differentiable once, by one backward pass."""

    @staticmethod
    def forward(
        ctx: Any, from_input: Tensor, hidden: Tensor, shares: Tensor, around: Around, *weights: Tensor
    ) -> Tensor:
        """from_input [rows, columns, 2 channels], hidden [columns, channels], which no gradient is taken of; weights:
        the first, then one a node. Gives [rows, columns, channels]."""
        cell = Cell(weights[0], list(weights[1:]), shares, around, slopes=not ctx.needs_input_grad[2])
        outputs = hidden.new_empty((len(from_input), *hidden.shape))
        ctx.rows, ctx.around = [], around
        begun = hidden
        for given, into in zip(from_input, outputs, strict=True):
            row = cell.enter(given, hidden, into)
            hidden = into
            if around.differentiable:
                ctx.rows.append(row)
        ctx.save_for_backward(begun, outputs, shares, *weights)
        return outputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        begun, outputs, shares, first, *weights = ctx.saved_tensors
        for_input, _, for_shares, _, *for_weights = ctx.needs_input_grad
        cell = Cell(first, weights, shares, ctx.around, slopes=not for_shares)
        total = Gradients(for_weights, shares if for_shares else None)
        of_input = gradient.new_empty((*gradient.shape[:-1], first.shape[1]))
        of_hidden = gradient[-1]
        for place in reversed(range(len(gradient))):
            row = ctx.rows.pop()  # most of the memory, and needed once
            of_sum = cell.leave(row, of_hidden, total)
            of_gate = of_sum * (row.tanh - (outputs[place - 1] if place else begun))
            of_difference = of_sum * row.gate
            of_gate, of_update = (
                torch.ops.aten.sigmoid_backward(of_gate, row.gate),
                torch.ops.aten.tanh_backward(of_difference, row.tanh),
            )
            of_both = torch.cat([of_gate, of_update], dim=-1, out=of_input[place])
            total.add_weight(0, row.entered, of_both)
            if place:
                of_entered = of_both @ first.t()
                of_hidden = (gradient[place - 1] + of_sum).sub_(of_difference).add_(cell.masked(of_entered, of_entered))
        return of_input if for_input else None, None, total.shares, None, *total.weights


def read_norm(norm: nn.BatchNorm1d, mask: Tensor | None, passes: int) -> Around:
    """How a batch norm without weights is computed now; it counts that it is, so many times."""
    tracked = norm.track_running_stats
    if norm.training and tracked and norm.num_batches_tracked is not None:
        norm.num_batches_tracked.add_(passes)
    mean, variance = (norm.running_mean, norm.running_var) if tracked or not norm.training else (None, None)
    assert norm.momentum is not None
    return Around(mask, mean, variance, norm.training, norm.momentum, norm.eps, torch.is_grad_enabled())
