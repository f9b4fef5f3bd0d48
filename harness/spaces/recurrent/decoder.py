"""The decoder's loss with its gradient: scores of all words take most of the memory of a pass, and are held once.

The loss of a softmax over scores has the gradient softmax - label, which is computed with the loss, a few rows at a
time, and put where the scores were.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

BLOCK = 1_000_000
"""Scores at a time."""


class WordLoss(torch.autograd.Function):
    """Mean cross-entropy of the next word, differentiable once; the same bits as `F.cross_entropy` has of
    `F.linear`."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, embedding: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
        """x [n, channels], labels [n]."""
        for_x, for_embedding, for_bias, _ = ctx.needs_input_grad
        differentiable = for_x or for_embedding or for_bias
        scores = F.linear(x, embedding, bias)
        count = max(1, BLOCK // scores.shape[1])
        found = scores.new_empty(len(x), 1)
        for begin in range(0, len(x), count):
            rows = slice(begin, begin + count)
            part, label = scores[rows], labels[rows, None]
            logs = part.log_softmax(dim=1)
            torch.gather(logs, 1, label, out=found[rows])
            if differentiable:
                of_logs = torch.zeros_like(logs).scatter_(1, label, -1 / len(x))
                torch.ops.aten._log_softmax_backward_data.out(of_logs, logs, 1, logs.dtype, out=part)
        if differentiable:
            ctx.save_for_backward(
                scores @ embedding if for_x else None,
                scores.t() @ x if for_embedding else None,
                scores.sum(dim=0) if for_bias else None,
            )
        return F.nll_loss(found, torch.zeros_like(labels))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Any:
        return *(None if found is None else found * gradient for found in ctx.saved_tensors), None


def compute_word_loss(x: Tensor, embedding: Tensor, bias: Tensor, labels: Tensor) -> Tensor:
    """Mean cross-entropy in nats of words [n] by the decoder of what [n, channels] came out."""
    if x.device.type != "cpu" or torch.is_autocast_enabled("cpu"):
        return F.cross_entropy(F.linear(x, embedding, bias), labels)
    if not torch.is_grad_enabled():
        x, embedding, bias = x.detach(), embedding.detach(), bias.detach()
    found: Tensor = WordLoss.apply(x, embedding, bias, labels)  # type: ignore[no-untyped-call]
    return found
