"""Searches for recurrent cells, straightforward and here: `python benchmarks/speed/recurrent.py [ROWS]`.

Published size: 256 columns, 300 channels, 10,000 words, stretches of 35 rows, float32, one thread. CPU seconds of a
step and of its parts, in turn in every round, medians. `recurrent.py memory ROWS harness|plain` prints the process's
peak in MB before the first step of DARTS and after two.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from memory import peak
from pairs import EPSILON, METHODS
from straightforward_recurrent import RecurrentSearch, SupernetRecurrent
from torch import Tensor

from harness.core.streams import Streams
from harness.search.build import build_search
from harness.search.methods import build_method
from harness.search.naming import RNN_CODE
from harness.search.regularizers.adversarial import AdversarialPerturbation
from harness.search.regularizers.awd import AWD
from harness.search.steps import make_frozen_cross_entropy
from harness.search.training import Training
from harness.spaces.base import SPACES
from harness.spaces.blocks.sequences import Stretch

ROUNDS = 5
METHODS_MEASURED = ("darts", "sdarts-rs", "sdarts-adv")


class TextPair:
    """A search of the harness and the straightforward one, from the same weights, on the same stretches of words.

    dropout: whether there is any; without, both are one to the last digits.
    """

    def __init__(
        self,
        method_name: str = "darts",
        *,
        channels: int = 300,
        columns: int = 256,
        rows: int = 35,
        words: int = 10_000,
        dropout: bool = True,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        space, streams = SPACES.find("recurrent.ptb")(), Streams(0)
        awd = AWD() if dropout else AWD(output=0, hidden=0, inside=0, embedded=0)
        used = build_method(f"{method_name} + awd").override(METHODS[method_name] | {"awd": awd.model_dump()})
        training = Training(**{key: value for key, value in RNN_CODE.items() if key in Training.model_fields})
        self.harness = build_search(
            space,
            used,
            channels=channels,
            cells=1,
            classes=words,
            image_channels=0,
            epochs=50,
            streams=streams,
            training=training,
            preset=space.presets["official"],
            dtype=dtype,
        )
        self.rate = training.learning_rate * rows / 35
        places = ("embedded", "inside", "hidden", "output")
        other = SupernetRecurrent(
            channels=channels, words=words, nodes=space.nodes, dropout={place: getattr(awd, place) for place in places}
        ).to(dtype)
        with torch.no_grad():
            for a, b in zip(other.parameters(), self.harness.net.parameters(), strict=True):
                a.copy_(b)
        self.harness.net.train()
        alphas = [a.detach() for a in self.harness.alphas]
        self.plain = RecurrentSearch(other, alphas, method_name, EPSILON, learning_rate=self.rate, change=awd.change)
        drawn = torch.randint(words, (2, rows + 1, columns), generator=streams["x"])
        self.tokens, self.labels = drawn[:, :-1], drawn[:, 1:].flatten(1)
        self.state = torch.zeros(columns, channels, dtype=dtype)

    def batch(self, part: int) -> tuple[Stretch, Tensor]:
        return Stretch(self.tokens[part], self.state), self.labels[part]

    def plain_batch(self, part: int) -> tuple[tuple[Tensor, Tensor], Tensor]:
        return (self.tokens[part], self.state), self.labels[part]

    def step(self) -> Tensor:
        return self.harness.step(self.batch(0), self.batch(1), 0, self.rate)

    def plain_step(self) -> float:
        return self.plain.step(self.plain_batch(0), self.plain_batch(1))

    def attack(self) -> list[Tensor]:
        (regularizer,) = (r for r in self.harness.regularizers if isinstance(r, AdversarialPerturbation))
        mix = [m.detach() for m in self.harness.searcher.relax(self.harness.alphas)]
        loss = make_frozen_cross_entropy(self.harness.net, self.batch(0))
        return regularizer.ascend(mix, loss, EPSILON, self.harness.streams, self.harness.net.gradients)

    def plain_attack(self) -> list[Tensor]:
        return self.plain.attack(self.plain.mix(), *self.plain_batch(0))


def measure_cpu(called: Callable[[], Any]) -> float:
    """CPU seconds."""
    began = time.process_time()
    called()
    return time.process_time() - began


def print_table(rows: int) -> None:
    print("| what | straightforward | harness | ratio |\n| --- | --- | --- | --- |", flush=True)
    for name in METHODS_MEASURED:
        pair = TextPair(name, rows=rows)
        pair.step(), pair.plain_step()
        parts = {"step": (pair.plain_step, pair.step)}
        if name == "sdarts-adv":
            parts["attack"] = (pair.plain_attack, pair.attack)
        for part, both in parts.items():
            rounds = [[measure_cpu(called) for called in both] for _ in range(ROUNDS)]
            plain, ours = (statistics.median(taken) for taken in zip(*rounds, strict=True))
            ratio = statistics.median(p / o for p, o in rounds)
            print(f"| {part} of {name}, {rows} rows | {plain:.3g} s | {ours:.3g} s | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["memory"]:
        one = TextPair(rows=int(sys.argv[2]))
        before = peak()
        for _ in range(2):
            one.step() if sys.argv[3] == "harness" else one.plain_step()
        print(before, peak())
    else:
        print_table(int(sys.argv[1]) if sys.argv[1:] else 35)
