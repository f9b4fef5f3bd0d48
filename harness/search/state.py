"""The state of a search: what it holds, how it is looked at, and how it is kept. Probes and regularizers see this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from harness.core.lazy import torch
from harness.core.streams import Streams
from harness.datasets.base import Batch, Data, Feed, evaluate_scores
from harness.search.searchers.base import SupernetSearcher
from harness.search.steps import Moment, compute_cross_entropy
from harness.search.training import Training
from harness.spaces.base import Architecture, Preset, Space
from harness.spaces.blocks.mix import Mix, keep_buffers

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.spaces.blocks.supernet import Supernet

DROPPED = -1e4
"""The logit of a dropped option: its softmax is exactly zero, and so is its gradient."""
DECIDED = "decided"


def drop_zero(logits: Sequence[Tensor], space: Space) -> None:
    """Put the logits of the operation that gives nothing at `DROPPED`, in place; logits: as the space's tensors."""
    for rows, choices in zip(logits, space.tensors, strict=True):
        for row, options in enumerate(choices.options):
            if space.zero in options:
                rows[row, options.index(space.zero)] = DROPPED


class SearchState(ABC):
    """One differentiable search: a one-shot network, architecture logits, their two optimizers, and the streams.

    trained: epochs that have been trained. stopped: whether the search has ended before its last epoch. memory: what
    regularizers remember from epoch to epoch, by their names.
    """

    def __init__(
        self,
        *,
        space: Space,
        net: Supernet,
        alphas: Sequence[Tensor],
        searcher: SupernetSearcher,
        training: Training,
        preset: Preset,
        streams: Streams,
        epochs: int,
    ) -> None:
        from harness.core.optimizers import SGD, Adam

        self.space, self.net, self.searcher, self.preset = space, net, searcher, preset
        self.training, self.streams, self.epochs = training, streams, epochs
        self.device = alphas[0].device
        net.draw = lambda name, make: streams.draw(name, make, self.device)
        net.constraint = self.constrained
        net.evaluate(searcher.evaluates)
        self.alphas = [a.detach().clone().requires_grad_() for a in alphas]
        self.weights: list[nn.Parameter] = list(net.parameters())
        self.feed = Feed()
        self.trained, self.stopped = 0, False
        self.memory: dict[str, Any] = {}
        self.weight_optimizer = SGD(
            self.weights,
            lr=training.learning_rate,
            momentum=training.momentum,
            nesterov=training.nesterov,
            weight_decay=training.weight_decay,
            foreach=True,  # the same numbers with fewer calls
        )
        self.alpha_optimizer = Adam(
            self.alphas,
            lr=training.alpha_learning_rate,
            betas=training.alpha_betas,
            weight_decay=training.alpha_weight_decay,
        )

    def bind(self, images: Any) -> None:
        """Draw batches from this data set, a `Data`, whose items other parts of a search know to be images where their
        methods ask for images."""
        self.images = images
        data: Data = images
        self.feed = data.feed(
            batch_size=self.training.batch_size,
            sampling=self.training.sampling,
            steps_per_epoch=self.training.steps_per_epoch,
            preset=self.preset,
            streams=self.streams,
        )

    @property
    def steps_per_epoch(self) -> int:
        return self.feed.steps_per_epoch

    def moment(self, epoch: int) -> Moment:
        return Moment(self.streams, self.space, epoch, self.epochs, self.net.mixed_cells, self.memory)

    def count_minibatch(self) -> int:
        """The number of this minibatch, from 1, over all epochs."""
        count: int = self.memory.get("minibatches", 0) + 1
        self.memory["minibatches"] = count
        return count

    # -- decided ---------------------------------------------------------------------------------------------

    def decide(
        self,
        tensor: int,
        row: int,
        kept: Sequence[int],
        *,
        frozen: bool = False,
        share: bool = False,
        part: float | None = None,
    ) -> None:
        """Take these options of a choice (or none at all), and no other one, from now on: in equal parts of one, or
        with `share` by their own mixing weights. part: the mixing weight of each, whatever they sum to. frozen: the
        choice's logits stay as they are; else their optimizer goes on moving them."""
        choice = {"kept": [int(k) for k in kept], "frozen": frozen, "share": share}
        self.memory.setdefault(DECIDED, {})[tensor, row] = choice if part is None else {**choice, "part": part}

    @property
    def decided(self) -> dict[tuple[int, int], dict[str, Any]]:
        """The decided choices, by tensor and row."""
        found: dict[tuple[int, int], dict[str, Any]] = self.memory.get(DECIDED, {})
        return found

    @contextmanager
    def frozen_choices(self) -> Iterator[None]:
        """Whatever moves the logits while the block runs, those of frozen choices are as they were at its end."""
        frozen = [place for place, choice in self.decided.items() if choice["frozen"]]
        held = {(tensor, row): self.alphas[tensor][row].detach().clone() for tensor, row in frozen}
        yield
        with torch.no_grad():
            for (tensor, row), value in held.items():
                self.alphas[tensor][row] = value

    def constrained(self, mix: Mix) -> Mix:
        """Mixing weights with the decided choices taken; no gradient goes through what is not kept."""
        if not self.decided:
            return mix
        rows = [list(m.unbind(-2)) for m in mix]
        for (tensor, row), choice in self.decided.items():
            own = rows[tensor][row]
            kept = torch.zeros_like(own)
            for option in choice["kept"]:  # a list of them would be copied to the device, which captures do not allow
                kept.select(-1, option).fill_(1.0)
            if "part" in choice:
                rows[tensor][row] = choice["part"] * kept
                continue
            kept = own * kept if choice["share"] else kept
            total = kept.sum(dim=-1, keepdim=True)
            rows[tensor][row] = kept / total.where(total > 0, torch.ones_like(total))
        return [torch.stack(r, dim=-2) for r in rows]

    def logits(self) -> list[Tensor]:
        """The logits, detached, those of what is decided against at `DROPPED`."""
        found = [a.detach().clone() for a in self.alphas]
        for (tensor, row), choice in self.decided.items():
            kept, own = choice["kept"], found[tensor][row].clone()
            found[tensor][row] = DROPPED
            found[tensor][row, kept] = own[kept] if choice["share"] else 0.0
        return found

    # -- looked at -------------------------------------------------------------------------------------------

    def derive(self) -> Architecture:
        """The architecture of the largest logits."""
        return self.searcher.derive(self.space, [a.cpu().numpy() for a in self.logits()])

    def evaluate(self, count: int | None = None) -> dict[str, float]:
        """Loss and accuracy (or what else the data set measures) of the one-shot network on the first `count` items of
        the search-validation half (all of them, if not said), eval-mode batch norm."""
        mix = self.net.constrained(self.searcher.mean(self.alphas, self.moment(self.trained)))
        loss, measured = self.images.evaluated(lambda x: self.net.frozen(x)(mix), "valid", self.preset, count)
        return dict(zip(self.evaluated_columns(), (loss, measured), strict=True))

    def evaluated_columns(self) -> tuple[str, ...]:
        """The columns of an evaluation."""
        return "search_valid_loss", f"supernet_{self.images.measured}"

    def accuracy(self, mix: Mix, images: Tensor, labels: Tensor) -> float:
        """Accuracy in % at these mixing weights, with the batch norm of train mode; its running statistics are kept."""
        self.net.train()
        with keep_buffers(self.net):
            return evaluate_scores(lambda x: self.net(x, mix), images, labels)[1]

    def loss_at(self, alphas: Sequence[Tensor], batch: Batch) -> Tensor:
        """Cross-entropy of the one-shot network at these logits, differentiable in them, in the network's mode."""
        return compute_cross_entropy(self.net, self.searcher.mean(alphas, self.moment(self.trained)), batch)

    # -- moved -----------------------------------------------------------------------------------------------

    @abstractmethod
    def advance(self, epoch: int, learning_rate: float) -> Tensor:
        """One step on the next minibatches, as in this epoch. Returns the training loss, detached."""

    def stop_at(self, alphas: Sequence[Tensor]) -> None:
        """End the search at these logits."""
        self.stopped = True
        with torch.no_grad():
            for alpha, value in zip(self.alphas, alphas, strict=True):
                alpha.copy_(value)

    # -- kept ------------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        return {
            "net": self.net.state_dict(),
            "alphas": [a.detach() for a in self.alphas],
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "alpha_optimizer": self.alpha_optimizer.state_dict(),
            "trained": self.trained,
            "stopped": self.stopped,
            "memory": self.memory,
            "streams": self.streams.state_dict(),
            **self.feed.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        with torch.no_grad():
            for alpha, value in zip(self.alphas, state["alphas"], strict=True):
                alpha.copy_(value)
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        # its settings never change, and are those of this device, not of the file's
        own = self.alpha_optimizer.state_dict()
        self.alpha_optimizer.load_state_dict(own | {"state": state["alpha_optimizer"]["state"]})
        self.trained, self.stopped, self.memory = state["trained"], state["stopped"], state["memory"]
        self.streams.load_state_dict(state["streams"])
        self.bind(self.images)  # the streams' generators are new objects
        self.feed.load_state_dict(state)
