"""The one-shot recurrent cell, faster: all operations of a node at once, with their backward pass written out.

An operation gives s + g (f(u) - s) of a state s, its gate g and its update u. The sum over operations with shares p is
P s + g (sum_k p_k f_k(u) - P s), P = sum_k p_k, so that nothing but g, u and s has to be kept for the backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from harness.spaces.blocks.mix import Mix, use_evaluation_mode
from harness.spaces.recurrent.language import LanguageModel, apply_mask
from harness.spaces.recurrent.supernet import RecurrentSupernet
from harness.spaces.recurrent.whole import RecurrentPass, read_norm


class NodeSum(torch.autograd.Function):
    """What a node takes of earlier states, differentiable once."""

    @staticmethod
    def forward(ctx: Any, products: Tensor, states: Tensor, shares: Tensor) -> Tensor:
        """products [states, columns, 2 channels]: of the states and the node's weights; shares [states, 4]."""
        gate, update = products.chunk(2, dim=-1)
        gate = gate.sigmoid()
        tanh, relu, sigmoid, identity = shares[:, :, None, None].unbind(1)
        found = update.tanh().mul_(tanh)
        found.addcmul_(update.relu(), relu).addcmul_(update.sigmoid(), sigmoid).addcmul_(update, identity)
        kept = states * shares.sum(dim=1)[:, None, None]
        ctx.save_for_backward(gate, update, states, shares)
        return found.sub_(kept).mul_(gate).add_(kept).sum(dim=0)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        gate, update, states, shares = ctx.saved_tensors
        for_products, for_states, for_shares = ctx.needs_input_grad
        tanh, sigmoid = update.tanh(), update.sigmoid()
        whole = shares.sum(dim=1)[:, None, None]
        through = gradient * gate  # of the updates' sum
        past = gradient - through
        slopes: list[Tensor | None] = [None, None, None]
        if for_shares:
            beside = (past * states).sum((1, 2))
            parts = (tanh, update.clamp_min(0), sigmoid, update)
            slopes[2] = torch.stack([(through * part).sum((1, 2)) + beside for part in parts], dim=1)
        if for_states:
            slopes[1] = past.mul_(whole)
        if for_products:
            a, b, c, d = shares[:, :, None, None].unbind(1)
            found = tanh * a
            found.addcmul_(update.clamp_min(0), b).addcmul_(sigmoid, c).addcmul_(update, d)
            found.sub_(states * whole)
            of_products = update.new_empty((*update.shape[:-1], 2 * update.shape[-1]))
            of_gate, of_update = of_products.chunk(2, dim=-1)
            torch.mul(found.mul_(through), 1 - gate, out=of_gate)
            # the slopes of the four operations
            torch.mul(1 - tanh.square_(), a, out=of_update)
            of_update.addcmul_((update > 0).to(update), b).addcmul_(sigmoid - sigmoid.square(), c).add_(d)
            of_update.mul_(through)
            slopes[0] = of_products
        return tuple(slopes)


class FastRecurrentSupernet(RecurrentSupernet):
    """The recurrent one-shot network, the same function of the same weights as the readable one, computed faster."""

    plain = False

    @contextmanager
    def readable(self) -> Iterator[None]:
        self.plain = True
        try:
            yield
        finally:
            self.plain = False

    def pass_rows(self, from_input: Tensor, hidden: Tensor, mask: Tensor | None, rest: Any) -> Tensor:
        if self.plain or from_input.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
            return super().pass_rows(from_input, hidden, mask, rest)
        around = read_norm(self.norm, mask, len(from_input) * (1 + len(self.nodes)))
        of_hidden = self.first[hidden.shape[-1] :]
        found: Tensor = RecurrentPass.apply(from_input, hidden, rest, around, of_hidden, *self.nodes)  # type: ignore[no-untyped-call]
        return found

    def word_loss(self, dropped: Tensor, labels: Tensor) -> Tensor:
        return super().word_loss(dropped, labels) if self.plain else LanguageModel.word_loss(self, dropped, labels)

    def frozen_cross_entropy(self, batch: tuple[Any, Tensor]) -> Callable[[Mix], Tensor]:
        def loss(mix: Mix) -> Tensor:
            with use_evaluation_mode(self), self.constant_weights():
                return self.cross_entropy(batch, mix)

        return loss

    @contextmanager
    def constant_weights(self) -> Iterator[None]:
        """No gradient of the weights can be asked for of what is computed while the block runs."""
        wanted = [weight for weight in self.parameters() if weight.requires_grad]
        for weight in wanted:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in wanted:
                weight.requires_grad_(True)

    def mixed(self, states: Tensor, weight: Tensor, shares: Tensor, hidden_mask: Tensor | None) -> Tensor:
        if self.plain:
            return super().mixed(states, weight, shares, hidden_mask)
        products = apply_mask(states, hidden_mask) @ weight
        found: Tensor = NodeSum.apply(products, states, shares)  # type: ignore[no-untyped-call]
        return found
