"""Search steps: the state before them, what each pass gave, the state after them."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.search.loop import SupernetSearch
from harness.search.naming import Recorded
from harness.testing.conformance.records import Check, Found, Record, Skipped
from harness.testing.conformance.searches import ReplayedStreams, recorded, search_of, space_of

NORMS = ("grad_norm", "weight_grad_norm")


def takes(record: Record) -> bool:
    return record.has("step0") and not record.has("hessian") and recorded(record) is not None


def replay(record: Record) -> Iterator[Check | Skipped]:
    own, streams, found = recorded(record), ReplayedStreams(), Found(record)
    assert own is not None
    search = search_of(record, own, space_of(record), streams)
    more(record, own, search, found, "forward")
    forward(record, own, search, streams, found)
    for number in range(record.meta["steps"]):
        step(record, own, search, streams, found, number)
    final(record, own, search, found)
    yield from found.checks()


def passes(record: Record, own: Recorded, search: SupernetSearch, prefix: str) -> dict[str, list[Tensor]]:
    """The random numbers of all passes under a prefix, in the order in which the passes are made."""
    inner = ["arch", "weight"] if search.training.order == "alpha-first" else ["weight", "arch"]
    queues: dict[str, list[Tensor]] = {}
    for name in (prefix, *(f"{prefix}/{part}" for part in inner)):
        for stream, numbers in own.draws(record.arrays, name).items():
            queues.setdefault(stream, []).extend(numbers)
    return queues


def forward(record: Record, own: Recorded, search: SupernetSearch, streams: ReplayedStreams, found: Found) -> None:
    """The single train-mode pass at the initial state; the state is put back."""
    if "forward/x" not in record.arrays:
        return
    before = {name: value.clone() for name, value in search.net.state_dict().items()}
    streams.queues = passes(record, own, search, "forward")
    for regularizer in search.regularizers:
        regularizer.begin_epoch(search.net, search.moment(0))
    images, labels = record.batch("forward")
    logits = search.net(images, search.searcher.sample(search.alphas, search.moment(0)))
    loss = F.cross_entropy(logits, labels)
    penalty = search.searcher.penalty(search.alphas)
    gradients = torch.autograd.grad(loss if penalty is None else loss + penalty, search.alphas)
    search.net.load_state_dict(before)
    search.net.computed()  # this pass leaves nothing behind
    found.add("forward logits", logits, record.arrays["forward/logits"])
    found.add("forward loss", loss, record.arrays["forward/loss"])
    found.add("forward alpha gradient", list(gradients), record.group("forward/grad_alpha"))
    if "forward/genotype" in record.arrays:
        derived = search.space.recorded_encoding(str(record.arrays["forward/genotype"]))
        found.exactly("derived architecture", search.derive().encoding == derived)


def step(
    record: Record, own: Recorded, search: SupernetSearch, streams: ReplayedStreams, found: Found, number: int
) -> None:
    """One step; each has an epoch of its own, where the record says so or the method changes from one to the next."""
    prefix, kept = f"step{number}", record.arrays
    epoch = int(kept.get(f"{prefix}/epoch", number if search.epochs > 1 else 0))
    train = record.batch(prefix)
    valid = record.batch(prefix, "xs", "ys") if f"{prefix}/xs" in kept else train
    streams.queues = passes(record, own, search, prefix)
    moment = search.moment(epoch)
    for regularizer in search.regularizers:
        regularizer.begin_epoch(search.net, moment)
    loss = search.step(train, valid, epoch, float(kept.get(f"{prefix}/lr", record.meta["lr"])))
    found.add("training losses", loss, kept[f"{prefix}/loss"])
    if after := record.group(f"{prefix}/alpha_after"):
        found.add("alpha after each step", [own.values(a.detach(), record.meta) for a in search.alphas], after)
    if perturbed := record.group(f"{prefix}/perturbed"):
        found.add("perturbed mixing weights", search.last_mix, perturbed)
    for key in NORMS:
        if f"{prefix}/{key}" in kept:
            found.add("gradient norms", search.last_norm, kept[f"{prefix}/{key}"])
    slopes = record.group(f"{prefix}/grad_alpha") or record.group(f"{prefix}/grad_alpha_clipped")
    if slopes:
        found.add("alpha gradients", [a.grad for a in search.alphas], slopes)
    more(record, own, search, found, prefix)
    if search.epochs > 1:
        for regularizer in search.regularizers:
            regularizer.after_epoch(search, moment)


def more(record: Record, own: Recorded, search: SupernetSearch, found: Found, prefix: str) -> None:
    """What the method's own class compares."""
    for quantity, (ours, theirs) in own.quantities(search, record.arrays, prefix).items():
        found.add(quantity, ours, theirs)


def final(record: Record, own: Recorded, search: SupernetSearch, found: Found) -> None:
    """The state after the last step."""
    if recorded_alpha := record.group("final/alpha"):
        found.add("final alpha", [own.values(a.detach(), record.meta) for a in search.alphas], recorded_alpha)
    if "final/genotype" in record.arrays:
        derived = search.space.recorded_encoding(str(record.arrays["final/genotype"]))
        found.exactly("final architecture", search.derive().encoding == derived)
    trained = {name for name, _ in search.net.named_parameters()}
    for name, value in search.net.state_dict().items():
        key = f"final/weights/{search.net.published_name(name)}"
        if key in record.arrays or name in trained:
            found.add("final weights" if name in trained else "final batch-norm statistics", value, record.arrays[key])
