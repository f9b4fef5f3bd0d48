"""Search steps: the state before them, what each pass gave, the state after them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.datasets.base import Batch
from harness.testing.conformance.records import Found, QuantityCheck, Record, Skipped
from harness.testing.conformance.searches import ReplayedStreams, find_recorded, find_space, search_of

BATCHES = 5
"""Dimensions of images where a step has several batches."""
NORMS = ("grad_norm", "weight_grad_norm")


def can_replay(record: Record) -> bool:
    return (
        any(map(record.has, ("step0", "steps", "forward")))
        and not record.has("hessian")
        and find_recorded(record) is not None
    )


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    replayed = StepReplay(record)
    replayed.more("forward")
    replayed.forward()
    for number in range(record.meta["steps"]):
        replayed.step(number)
    replayed.final()
    yield from replayed.found.checks()


class StepReplay:
    """A record that is being replayed."""

    def __init__(self, record: Record) -> None:
        own = find_recorded(record)
        assert own is not None
        self.record, self.own, self.streams, self.found = record, own, ReplayedStreams(), Found(record)
        self.search = search_of(record, own, find_space(record), self.streams)
        self.space = self.search.space

    def draws(self, prefix: str) -> dict[str, list[Tensor]]:
        """The random numbers of all passes under a prefix, in the order in which the passes are made."""
        inner = ["arch", "weight"] if self.search.training.order == "alpha-first" else ["weight", "arch"]
        queues: dict[str, list[Tensor]] = {}
        for name in (prefix, *(f"{prefix}/{part}" for part in inner)):
            for stream, numbers in self.own.draws(self.record.arrays, name).items():
                queues.setdefault(stream, []).extend(numbers)
        return queues

    def values(self) -> list[Tensor]:
        """The logits as the record has them."""
        return [self.own.values(a.detach(), self.record.meta) for a in self.search.alphas]

    def forward(self) -> None:
        """The single train-mode pass at the initial state; the state is put back."""
        record, search, found = self.record, self.search, self.found
        if "forward/x" not in record.arrays:
            return
        before = {name: value.clone() for name, value in search.net.state_dict().items()}
        self.streams.queues = self.draws("forward")
        for regularizer in search.regularizers:
            regularizer.begin_epoch(search.net, search.moment(0))
        self.own.prepare(search.net, record.arrays, "forward")
        images, labels = record.batch("forward")
        logits = search.net(images, search.searcher.sample(search.alphas, search.moment(0)))
        loss = F.cross_entropy(logits, labels)
        penalty = search.searcher.penalty(search.alphas)
        gradients = torch.autograd.grad(loss if penalty is None else loss + penalty, search.alphas)
        search.net.load_state_dict(before)
        search.net.computed()  # this pass leaves nothing behind
        found.add("forward logits", logits, record.arrays["forward/logits"])
        found.add("forward loss", loss, record.arrays.get("forward/loss_cls", record.arrays["forward/loss"]))
        found.add("forward alpha gradient", list(gradients), record.group("forward/grad_alpha"))
        self.derived("derived architecture", "forward/genotype")

    def step(self, number: int) -> None:
        """One step; each has an epoch of its own, where the record says so or the method changes from one to the
        next."""
        record, search, found, prefix = self.record, self.search, self.found, f"step{number}"
        kept = record.arrays
        epoch = int(kept.get(f"{prefix}/epoch", number if search.epochs > 1 else 0))
        train = record.batch(prefix)
        valid = record.batch(prefix, "xs", "ys") if f"{prefix}/xs" in kept else train
        self.streams.queues = self.draws(prefix)
        moment = search.moment(epoch)
        for regularizer in search.regularizers:
            regularizer.begin_epoch(search.net, moment)
        rate = float(kept.get(f"{prefix}/lr", kept.get(f"{prefix}/eta", record.meta["lr"])))
        if train[0].dim() == BATCHES:
            self.several(train, valid, epoch, rate)
        else:
            loss = search.step(train, valid, epoch, rate)
            found.add("training losses", loss, kept.get(f"{prefix}/loss_cls", kept[f"{prefix}/loss"]))
        if after := record.group(f"{prefix}/alpha_after"):
            found.add("alpha after each step", self.values(), after)
        if perturbed := record.group(f"{prefix}/perturbed"):
            found.add("perturbed mixing weights", search.last_mix, perturbed)
        for key in NORMS:
            if f"{prefix}/{key}" in kept:
                found.add("gradient norms", search.last_norm, kept[f"{prefix}/{key}"])
        slopes = record.group(f"{prefix}/grad_alpha") or record.group(f"{prefix}/grad_alpha_clipped")
        if slopes:
            found.add("alpha gradients", [a.grad for a in search.alphas], slopes)
        self.more(prefix)
        if search.epochs > 1:
            for regularizer in search.regularizers:
                regularizer.after_epoch(search, moment)

    def several(self, train: Batch, valid: Batch, epoch: int, rate: float) -> None:
        """A weight step on every training batch but the last, which is that of the architecture step."""
        *inner, last = zip(*train, strict=True)
        for batch in inner:
            self.search.weight_step(batch, valid, epoch, rate)
        self.search.architecture_step(last, valid, epoch, rate)

    def more(self, prefix: str) -> None:
        """What the method's own class compares."""
        for quantity, (ours, theirs) in self.own.quantities(self.search, self.record.arrays, prefix).items():
            self.found.add(quantity, ours, theirs)

    def final(self) -> None:
        """The state after the last step."""
        record, net = self.record, self.search.net
        if alpha := record.group("final/alpha"):
            self.found.add("final alpha", self.values(), alpha)
        self.derived("final architecture", "final/genotype")
        trained = {name for name, _ in net.named_parameters()}
        for name, value in net.state_dict().items():
            key = f"final/weights/{self.own.renamed(net.published_name(name))}"
            if key in record.arrays or name in trained:
                quantity = "final weights" if name in trained else "final batch-norm statistics"
                self.found.add(quantity, value, record.arrays[key])

    def derived(self, quantity: str, key: str) -> None:
        """The architecture of the logits, where one is recorded."""
        if key not in self.record.arrays:
            return
        genotype = str(self.record.arrays[key])
        if self.own.genotype is not None:
            self.found.exactly(quantity, self.own.genotype(self.search, genotype, self.record.meta))
        else:
            self.found.exactly(quantity, self.search.derive().encoding == self.space.recorded_encoding(genotype))
