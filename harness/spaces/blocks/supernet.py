"""One-shot networks as functions of an input and of mixing weights.

`net(x, mix)`: x is [batch, 3, height, width]; mix is a list of tensors shaped like the space's architecture tensors,
one row a choice (the relaxed architecture). A tensor may have a leading dimension of mixed cells, one entry each, where
cells are to be told apart. A supernet never holds architecture parameters, so perturbing,
discretising and differentiating them needs no saved-and-restored state.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.core.streams import Make
from harness.spaces.blocks.mix import NOTHING, SKIP_DROPOUT, Evaluated, Listener, Mix, use_evaluation_mode


class Skip(nn.Identity):
    """The identity among the candidates of a choice; in train mode each of its pixels is zero with `probability`, the
    others are scaled up. draw: of the network."""

    probability: float = 0.0
    draw: Callable[[str, Make], Tensor]

    def forward(self, x: Tensor) -> Tensor:
        if not (self.probability and self.training):
            return x
        drawn = self.draw(SKIP_DROPOUT, lambda g: torch.rand(x.shape, generator=g))
        return x * ((drawn >= self.probability).to(x) / (1 - self.probability))


class MixedOperation(nn.Module):
    """The weighted sum of a choice's operations. Those with weights are child modules."""

    evaluates: Evaluated = "all"
    computed: set[int]
    """The places of the operations that were computed since this was last emptied, where not all are."""
    listener: Listener | None = None

    def __init__(self) -> None:
        super().__init__()
        self.computed = set()

    def options(self) -> Sequence[Callable[[Tensor], Tensor]]:
        """The operations, in the space's order."""
        raise NotImplementedError(f"{type(self).__name__} cannot leave operations out")

    def drawn(self, x: Tensor, weights: Tensor) -> Tensor:
        """The sum of what `evaluates` says; the host looks at the weights."""
        options = self.options()
        if self.evaluates == "bare":
            first = int(weights.argmax())
            self.computed.add(first)
            others = [w for i, w in enumerate(weights.unbind()) if i != first]
            return weights[first] * options[first](x) + torch.stack(others).sum()
        chosen = [i for i, w in enumerate(weights.tolist()) if w > NOTHING]
        self.computed.update(chosen)
        terms = []
        for i in chosen:
            y = options[i](x)
            if self.listener is not None:
                self.listener(weights, i, y)
            terms.append(weights[i] * y)
        return sum(terms[1:], terms[0]) if terms else self.nothing(x)

    def nothing(self, x: Tensor) -> Tensor:
        """Zeros of the output's shape."""
        return torch.zeros_like(x)


class Supernet(nn.Module, ABC):
    """Base of the supernets.

    partial_channels: the first 1/partial_channels of the channels are mixed. auxiliary: whether there may be an
    auxiliary skip, which has weights where a mixed operation shrinks; auxiliary_of_cell: it gives the input of the cell
    on every edge, where a cell has `one_input`. mixed_cells: how many cells share the
    mixing weights. published_names: (pattern, replacement) pairs that turn a
    parameter's name here into the published one. replays: whether its inputs have one size, so that a step on them can
    be captured and replayed.
    """

    published_names: ClassVar[tuple[tuple[str, str], ...]] = ()
    replays: ClassVar[bool] = True
    one_input: ClassVar[bool] = False
    mixed_cells: int
    path_dropout: float = 0.0
    """Probability of dropping an image's output of a mixed operation, in train mode."""
    skip_dropout: float = 0.0
    """Probability of dropping a pixel of a skip, in train mode (see `drop_skips`)."""
    auxiliary_skip: float = 0.0
    """Factor of a mixed operation's input in its output."""
    draw: Callable[[str, Make], Tensor]
    """Where random numbers of a forward pass come from, by the name of their stream."""
    constraint: Callable[[Mix], Mix] | None = None
    """What puts decided choices into mixing weights."""
    evaluates: Evaluated = "all"

    def evaluate(self, what: Evaluated) -> None:
        """Compute these operations from now on."""
        self.evaluates = what
        for module in self.modules():
            if isinstance(module, MixedOperation):
                module.evaluates = what

    @contextmanager
    def evaluating(self, what: Evaluated | None) -> Iterator[None]:
        """Compute these operations while the block runs; None: as usual."""
        usual = self.evaluates
        if what is not None:
            self.evaluate(what)
        yield
        if what is not None:
            self.evaluate(usual)

    @contextmanager
    def heard(self, listener: Listener) -> Iterator[None]:
        """Tell what each operation gives while the block runs. Those whose mixing weight is zero are not computed."""
        mixed = [module for module in self.modules() if isinstance(module, MixedOperation)]
        with self.evaluating("drawn"):
            for module in mixed:
                module.listener = listener
            try:
                yield
            finally:
                for module in mixed:
                    module.listener = None
                    module.computed.clear()

    def drop_skips(self, probability: float) -> None:
        """Drop pixels of the skips that choices have, from now on."""
        skips = [module for module in self.modules() if isinstance(module, Skip)]
        if probability and not skips:
            raise HarnessError(
                "the one-shot network of this space has no skip connections whose pixels can be dropped: "
                "leave staged-dropping.dropout out"
            )
        self.skip_dropout = probability
        for skip in skips:
            skip.probability, skip.draw = probability, self.draw

    def computed(self) -> set[nn.Parameter]:
        """The weights of candidate operations that were computed since this was last asked."""
        found: set[nn.Parameter] = set()
        for module in self.modules():
            if isinstance(module, MixedOperation) and module.computed:
                options = [o for i, o in enumerate(module.options()) if i in module.computed]
                found.update(w for o in options if isinstance(o, nn.Module) for w in o.parameters())
                module.computed.clear()
        return found

    def constrained(self, mix: Mix) -> Mix:
        """The mixing weights of a search, with the choices taken that it has decided."""
        return mix if self.constraint is None else self.constraint(mix)

    def __init__(self, *, partial_channels: int = 1, auxiliary: bool = False, auxiliary_of_cell: bool = False) -> None:
        super().__init__()
        if auxiliary_of_cell and not self.one_input:
            raise HarnessError(
                "the auxiliary skip cannot give a cell's input in a space whose cells have several: "
                'set auxiliary-skip.source = "edge"'
            )
        self.partial_channels, self.auxiliary, self.auxiliary_of_cell = partial_channels, auxiliary, auxiliary_of_cell

    def around(
        self,
        mixed: Callable[[Tensor, Tensor], Tensor],
        x: Tensor,
        weights: Tensor,
        *,
        beside: Callable[[Tensor], Tensor] = lambda x: x,
        skip: Callable[[Tensor], Tensor] = lambda x: x,
    ) -> Tensor:
        """A mixed operation of [batch, channels, ...] with what the regularizers put around it: partial channels,
        auxiliary skip, drop-path. beside, skip: what brings the channels that are not mixed, and the auxiliary skip, to
        the output's size where that is another one."""
        parts = self.partial_channels
        if parts > 1:
            inside, rest = x.tensor_split([x.shape[1] // parts], dim=1)
            y = self.shuffled(torch.cat([mixed(inside, weights), beside(rest)], dim=1))
        else:
            y = mixed(x, weights)
        if self.auxiliary_skip:
            y = y + self.auxiliary_skip * skip(x)
        if self.path_dropout and self.training:
            count = len(y)
            kept = self.draw("drop-path", lambda g: torch.rand(count, generator=g)) >= self.path_dropout
            y = y * (kept.to(y) / (1 - self.path_dropout)).view(-1, 1, 1, 1)
        return y

    def shuffled(self, y: Tensor) -> Tensor:
        """The channels of `partial_channels` groups, one of each group in turn."""
        mixed: Tensor = y.unflatten(1, (self.partial_channels, -1)).transpose(1, 2).flatten(1, 2)  # type: ignore[no-untyped-call]
        return mixed

    def frozen(self, x: Tensor) -> Callable[[Mix], Tensor]:
        """Logits of these images in eval mode as a function of the mixing weights; differentiable once, in them."""

        def logits(mix: Mix) -> Tensor:
            with use_evaluation_mode(self):
                found: Tensor = self(x, mix)
            return found

        return logits

    def cross_entropy(self, batch: tuple[Any, Tensor], mix: Mix) -> Tensor:
        """Mean cross-entropy of a batch, a scalar."""
        return F.cross_entropy(self(batch[0], mix), batch[1])

    def frozen_cross_entropy(self, batch: tuple[Any, Tensor]) -> Callable[[Mix], Tensor]:
        """That in eval mode as a function of the mixing weights; differentiable once, in them."""
        logits = self.frozen(batch[0])
        return lambda mix: F.cross_entropy(logits(mix), batch[1])

    def gradients(self, loss: Tensor, wanted: Sequence[Tensor], **options: Any) -> Sequence[Tensor]:
        """The gradients of a loss of its logits, options as for `torch.autograd.grad`. What differentiates a loss in a
        step asks for them here, so that passes can be shared (see `Networks.together`)."""
        return torch.autograd.grad(loss, list(wanted), **options)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """While the block runs, batch norms in train mode leave their running statistics alone, and a network that has
        dropout of its own has none."""
        norms = [m for m in self.modules() if isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d) and m.track_running_stats]
        for norm in norms:
            norm.track_running_stats = False
        try:
            yield
        finally:
            for norm in norms:
                norm.track_running_stats = True

    @contextmanager
    def readable(self) -> Iterator[None]:
        """Compute one module an operation while the block runs: where gradients are themselves differentiated, PyTorch
        is fastest so."""
        yield

    def candidates(self) -> list[list[nn.Parameter]]:
        """The weights of every candidate operation that has any, of every choice of every cell."""
        mixed = (m for m in self.modules() if isinstance(m, MixedOperation))
        weights = (list(operation.parameters()) for m in mixed for operation in m.children())
        return [w for w in weights if w]

    def cells_of(self, tensor: int) -> int:
        """How many mixed cells share an architecture tensor, by its place in the mix."""
        return self.mixed_cells

    def of_cells(self, rows: Tensor) -> Sequence[Tensor]:
        """A tensor of the mix for each mixed cell in turn: its own, or the one that they share."""
        return rows.unbind() if rows.dim() == 3 else [rows] * self.mixed_cells

    def tied(self) -> list[nn.Parameter]:
        """The weights that it uses in two places."""
        return []

    def training_loss(self, batch: tuple[Any, Tensor], mix: Mix) -> tuple[Tensor, Tensor]:
        """Mean cross-entropy of a batch, and what a weight step descends: the same, or with terms of the network's
        own."""
        loss = self.cross_entropy(batch, mix)
        return loss, loss

    @abstractmethod
    def forward(self, x: Tensor, mix: Mix) -> Tensor:
        """Logits [batch, classes] of images [batch, channels, height, width]."""

    @classmethod
    def published_name(cls, name: str) -> str:
        for pattern, replacement in cls.published_names:
            name = re.sub(pattern, replacement, name)
        return name


class ConvBnRelu(nn.Sequential):
    """Convolution, batch norm, ReLU (the order of NAS-Bench-101)."""

    def __init__(self, cin: int, cout: int, kernel: int, *, momentum: float) -> None:
        super().__init__(
            nn.Conv2d(cin, cout, kernel, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(cout, momentum=momentum),
            nn.ReLU(),
        )


class ReluConvBn(nn.Sequential):
    """ReLU, convolution, batch norm (the order of NAS-Bench-201)."""

    def __init__(
        self, cin: int, cout: int, kernel: int, *, stride: int = 1, affine: bool = True, momentum: float = 0.1
    ) -> None:
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(cin, cout, kernel, stride=stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(cout, affine=affine, momentum=momentum),
        )
