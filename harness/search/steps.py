"""What happens when: the moment of a step, and what the two steps of a minibatch are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from harness.core.streams import Streams
from harness.datasets.base import Batch
from harness.spaces.base import Space
from harness.spaces.blocks.mix import Mix

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.spaces.blocks.supernet import Supernet


@dataclass(frozen=True)
class Moment:
    """Where a search is, what every hook is told. epoch: the one that is being trained, from 0, or after it has been,
    in `after_epoch`, still that one; epochs: how many the search has. streams: where random draws come from. cells: how
    many mixed cells the network has. memory: what parts remember from step to step, by their names."""

    streams: Streams
    space: Space
    epoch: int
    epochs: int
    cells: int = 1
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ArchitectureStep:
    """The architecture step that is about to run.

    alphas: the logits, leaves that require gradients. weights: the network's, in its order. loss(net, mix, batch):
    cross-entropy. penalty(alphas): the regularizers' terms, or None. learning_rate: that of the weights, for virtual
    steps. momentum_buffers: the weight optimizer's, in the weights' order (None before its first step). gradient_clip:
    the norm at which the weights' gradients are clipped. finite_difference_moves_bn, virtual_clip, tied_weights_stay:
    see `Preset`. further: gives a training minibatch beside those of the weight steps, each time another one.
    """

    net: Supernet
    alphas: list[Tensor]
    weights: list[nn.Parameter]
    train: Batch
    valid: Batch
    loss: Callable[[Supernet, Mix, Batch], Tensor]
    penalty: Callable[[Sequence[Tensor]], Tensor | None]
    learning_rate: float
    momentum: float
    weight_decay: float
    momentum_buffers: list[Tensor | None]
    gradient_clip: float
    finite_difference_moves_bn: bool
    further: Callable[[], Batch]
    moment: Moment
    virtual_clip: Literal["off", "capped", "uncapped"] = "off"
    tied_weights_stay: bool = False

    @contextmanager
    def constant_weights(self) -> Iterator[None]:
        """While the block runs, no gradient of the weights is computed, nor anything kept for it."""
        for weight in self.weights:
            weight.requires_grad_(False)
        try:
            yield
        finally:
            for weight in self.weights:
                weight.requires_grad_(True)

    def penalized(self, loss: Tensor) -> Tensor:
        """A loss with the regularizers' terms."""
        penalty = self.penalty(self.alphas)
        return loss if penalty is None else loss + penalty


@dataclass(frozen=True)
class WeightStep:
    """The weight step that is about to run.

    loss: cross-entropy of the step's training batch as a function of mixing weights, in the network's current mode;
    valid_loss: that of its validation batch. frozen_loss: makes a function like `loss`, but without gradients of the
    weights, which is fast where it is called many times (see `Supernet.frozen`); in eval mode, or as the preset has it.
    memory: what regularizers remember from step to step, by their names.
    """

    net: Supernet
    loss: Callable[[Mix], Tensor]
    valid_loss: Callable[[Mix], Tensor]
    frozen_loss: Callable[[], Callable[[Mix], Tensor]]
    memory: dict[str, Any]
    moment: Moment


def compute_cross_entropy(net: Supernet, mix: Mix, batch: Batch) -> Tensor:
    """Mean cross-entropy of a batch, a scalar, with the choices taken that are decided."""
    return net.cross_entropy(batch, net.constrained(mix))


def make_frozen_cross_entropy(net: Supernet, batch: Batch) -> Callable[[Mix], Tensor]:
    """The loss of a batch in eval mode as a function of the mixing weights, differentiable in them alone."""
    loss = net.frozen_cross_entropy(batch)
    return lambda mix: loss(net.constrained(mix))


def make_batch_cross_entropy(net: Supernet, batch: Batch) -> Callable[[Mix], Tensor]:
    """The loss of a batch with the batch norm of train mode, whose running statistics stay, and without dropout."""

    def loss(mix: Mix) -> Tensor:
        with net.steady():
            return compute_cross_entropy(net, mix, batch)

    return loss
