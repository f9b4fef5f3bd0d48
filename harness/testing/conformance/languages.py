"""What records of language models have in common: their text, dropout masks, settings and passes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.datasets.texts import Text
from harness.spaces.blocks.sequences import Stretch
from harness.testing.conformance.records import Found, Record

DROPOUTS = {
    "output": "dropout",
    "hidden": "dropouth",
    "inside": "dropoutx",
    "embedded": "dropouti",
    "words": "dropoute",
}
"""Probabilities of dropout, by what records call them."""
MASKS = {"words": "e", "embedded": "i", "inside": "x", "hidden": "h", "output": "o"}
"""Its masks, by what records call them."""
TERMS = {"activation": "act_alpha", "change": "act_beta"}
"""Factors of activation regularization, by what records call them."""
PARTS = ("train", "valid", "test")
Told = Callable[[str], str]
BEGINNINGS = ("init", "bn_init", "bn_start")
"""How settings are called that say how the recorded weights and statistics were made at the beginning."""


def refuse_unknown(meta: dict[str, Any], known: tuple[str, ...]) -> None:
    """An error for a setting that is not replayed. What the weights and statistics began as is in the arrays."""
    for key, value in meta.items():
        if key not in known and not key.startswith(BEGINNINGS):
            raise HarnessError(f"its meta data have {key!r} ({value!r:.60}), which this version does not replay")


def expect(meta: dict[str, Any], **values: Any) -> None:
    """An error where a setting is another one than can be replayed."""
    for key, value in values.items():
        if key in meta and meta[key] != value:
            raise HarnessError(f"its {key} is {meta[key]!r}, and {value!r} alone is replayed")


def build_text(record: Record) -> Text:
    """The text that a record holds, as a data set."""
    parts: Any = {part: record.tensor(f"data/{part}").long() for part in PARTS}
    words = [str(number) for number in range(record.meta["ntokens"])]
    return Text(parts, words, rows=record.meta["bptt"], device=torch.device("cpu"))


def read_regularization(meta: dict[str, Any]) -> dict[str, float]:
    """The fields of what regularizes a language model."""
    return {field: meta.get(told, 0.0) for field, told in (DROPOUTS | TERMS).items()}


def read_masks(record: Record, prefix: str) -> dict[str, list[Tensor]]:
    """The dropout masks of a pass, by stream."""
    keys = {f"locked-dropout-{place}": f"{prefix}/mask/{letter}" for place, letter in MASKS.items()}
    return {stream: [record.tensor(key)] for stream, key in keys.items() if key in record.arrays}


def queue_draws(*queues: dict[str, list[Tensor]]) -> dict[str, list[Tensor]]:
    """The random numbers of several passes, one after the other."""
    found: dict[str, list[Tensor]] = {}
    for queue in queues:
        for stream, numbers in queue.items():
            found.setdefault(stream, []).extend(numbers)
    return found


def lacks_gradient(meta: dict[str, Any]) -> bool:
    """Whether the last word's input embedding has no gradient, or an error where it is another word's."""
    word = meta["token_without_input_gradient"]
    if word not in (None, meta["ntokens"] - 1):
        raise HarnessError(f"its word {word} has no input gradient, and that of the last one alone is replayed")
    return word is not None


def stretch_at(record: Record, prefix: str, tokens: str = "x", hidden: str = "hidden") -> Stretch:
    """A recorded stretch with the hidden state that enters."""
    return Stretch(record.tensor(f"{prefix}/{tokens}"), record.tensor(f"{prefix}/{hidden}")[0])


def add_pass(
    found: Found, net: Any, passed: Any, stretch: Stretch, rows: Tensor, *, prefix: str, told: Told, alphas: Any
) -> None:
    """What a pass gave and its gradients. rows: the word after each one; told: what the published code calls a weight;
    alphas: logits, or none."""
    kept = found.record.arrays
    decoded = net.score_words(passed.dropped)
    loss = F.cross_entropy(decoded, rows.flatten())
    scores = decoded.log_softmax(dim=-1).view(*rows.shape, -1)
    quantity = prefix.split("/", maxsplit=1)[0]
    found.add(f"{quantity}: log-probabilities", scores, kept[f"{prefix}/log_prob"])
    found.add(f"{quantity}: hidden states", passed.outputs, kept[f"{prefix}/hiddens"])
    found.add(f"{quantity}: last hidden state", stretch.left, kept[f"{prefix}/hidden_after"][0])
    found.add(f"{quantity}: loss", loss, kept[f"{prefix}/loss"])
    named = dict(net.named_parameters())
    slopes = torch.autograd.grad(loss, [*named.values(), *alphas])
    for name, slope in zip(named, slopes, strict=False):
        found.add(f"{quantity}: weight gradients", slope, kept[f"{prefix}/grad/{told(name)}"])
    if alphas:
        found.add(f"{quantity}: alpha gradient", slopes[-1], kept[f"{prefix}/grad_alpha/0"])


def add_statistics(found: Found, quantity: str, net: Any, prefix: str) -> None:
    """The running statistics of the batch norm."""
    for name, value in net.norm.named_buffers():
        found.add(quantity, value, found.record.arrays[f"{prefix}/{name}"])
