"""Searches for the cells of language models: each step's text, passes and random numbers, and the states after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.datasets.texts import cut_into_columns, evaluate_text
from harness.search.build import build_search
from harness.search.loop import SupernetSearch
from harness.search.methods import Method
from harness.search.regularizers.base import REGULARIZERS
from harness.search.schedules import interpolate_until_end
from harness.search.searchers.products import FINITE_DIFFERENCE
from harness.search.steps import Moment
from harness.search.training import Training
from harness.spaces.base import Space
from harness.spaces.blocks.supernet import Supernet
from harness.testing.conformance.languages import (
    DROPOUTS,
    TERMS,
    add_pass,
    add_statistics,
    build_text,
    expect,
    lacks_gradient,
    queue_draws,
    read_masks,
    read_regularization,
    refuse_unknown,
    stretch_at,
)
from harness.testing.conformance.records import Found, QuantityCheck, Record, Skipped
from harness.testing.conformance.searches import (
    SETTINGS,
    ReplayedStreams,
    build_recorded_method,
    find_recorded,
    find_space,
)

TOLD = (
    "source",
    "torch",
    "space",
    "method",
    "seed",
    "steps",
    "order",
    "train_rows",
    "valid_tokens",
    "test_tokens",
    "arch",
)
"""What a record says of itself that is no setting, or that its arrays say, too."""
READ = (
    *("ops", "nodes", "concat", "ntokens", "nhid", "batch", "bptt", "epochs", "lr", "clip", "wdecay", "optimizer"),
    *("momentum", "nesterov", "weight_decay", "grad_clip", "clip_includes_alpha", "arch_betas", "arch_adam_eps"),
    *("arch_lr", "arch_wd", "eval_batch", "test_batch", "fd_radius", "bn_eps", "bn_momentum", "perturb_alpha"),
    *("unrolled", "token_without_input_gradient", "epsilon_max", "epsilon_start", "pgd_steps", "pgd_random_start"),
    *DROPOUTS.values(),
    *TERMS.values(),
)
PERTURBED = {"none": (), "random": ("epsilon",), "pgd_linf": ("epsilon", "steps")}
"""The fields of what perturbs the mixing weights, by what records call it."""


def can_replay(record: Record) -> bool:
    return "ntokens" in record.meta and "bptt" in record.meta and find_recorded(record) is not None


def replay(record: Record) -> Iterator[QuantityCheck | Skipped]:
    refuse_unknown(record.meta, (*TOLD, *READ))
    replayed = LanguageReplay(record)
    replayed.forward()
    for number in range(record.meta["steps"]):
        replayed.step(number)
    replayed.final()
    yield from replayed.found.checks()


class LanguageReplay:
    """A search that is being replayed."""

    def __init__(self, record: Record) -> None:
        self.record, self.streams, self.found = record, ReplayedStreams(), Found(record)
        self.space = find_space(record)
        self.text = build_text(record)
        self.search = self.search_of(self.space)
        self.search.bind(self.text)
        self.epoch = 0

    def method(self) -> Method:
        """The record's method with its settings."""
        meta, own = self.record.meta, find_recorded(self.record)
        assert own is not None
        expect(meta, unrolled=meta["method"].endswith("2") if meta["perturb_alpha"] == "none" else meta["unrolled"])
        chosen = build_recorded_method(self.record, own)
        chosen = chosen.override({chosen.searcher.name: {"order": 2 if meta["unrolled"] else 1}})
        fields = {name for part in chosen.regularizers for name in type(part).model_fields}
        if not {*PERTURBED[meta["perturb_alpha"]]} <= fields or bool(fields) != (meta["perturb_alpha"] != "none"):
            raise HarnessError(f"its method {meta['method']!r} does not perturb by {meta['perturb_alpha']!r}")
        part = REGULARIZERS.build("awd", read_regularization(meta))
        return Method(chosen.searcher, (*chosen.regularizers, part))

    def search_of(self, space: Space) -> SupernetSearch:
        """A search in the record's initial state."""
        meta = self.record.meta
        expect(
            meta,
            ops=list(space.operations),
            optimizer="SGD",
            order="alpha",
            concat=meta["nodes"],
            grad_clip=meta["clip"],
            wdecay=meta["weight_decay"],
            arch_adam_eps=1e-8,
            fd_radius=FINITE_DIFFERENCE if meta["unrolled"] else None,
        )
        settings: dict[str, Any] = {ours: meta[theirs] for ours, theirs in SETTINGS.items()}
        preset = space.presets["official"].model_copy(
            update={"clip_counts_alpha": meta["clip_includes_alpha"], "last_word_untrained": lacks_gradient(meta)}
        )
        search = build_search(
            space,
            self.method(),
            channels=meta["nhid"],
            cells=1,
            classes=meta["ntokens"],
            image_channels=0,
            epochs=meta["epochs"],
            streams=self.streams,
            training=Training(**settings | {"learning_rate_min": meta["lr"]}),
            preset=preset,
            dtype=torch.float64,
        )
        norm: Any = search.net.norm
        expect(meta, bn_eps=norm.eps, bn_momentum=norm.momentum)
        self.net: Supernet = search.net
        state = {name: self.record.tensor(f"init/weights/{self.told(name)}") for name in search.net.state_dict()}
        search.net.load_state_dict(state)
        with torch.no_grad():
            search.alphas[0].copy_(self.record.tensor("init/alpha/0"))
        return search

    def told(self, name: str) -> str:
        """What the published code calls a weight."""
        return self.net.published_name(name)

    def forward(self) -> None:
        """The single train-mode pass at the initial state, which is put back; and the derived cell."""
        record, search, net = self.record, self.search, self.search.net
        before = {name: value.clone() for name, value in net.state_dict().items()}
        self.streams.queues = read_masks(record, "forward")
        net.train()
        stretch, rows = stretch_at(record, "forward"), record.tensor("forward/y")
        passed = net.passed(stretch, net.shares(search.searcher.relax(search.alphas)))  # type: ignore[operator]
        add_pass(self.found, net, passed, stretch, rows, prefix="forward", told=self.told, alphas=search.alphas)
        add_statistics(self.found, "forward: batch-norm statistics", net, "forward/bn_after")
        net.load_state_dict(before)
        self.derived("derived architecture", "forward/genotype")

    def step(self, number: int) -> None:
        record, search, found, prefix = self.record, self.search, self.found, f"step{number}"
        kept = record.arrays
        epoch = int(kept[f"{prefix}/epoch"])
        if epoch != self.epoch:
            self.epoch = epoch
            search.feed.begin_epoch()
        passes = [f"{prefix}/{part}" for part in ("arch", *(f"unrolled/{p}" for p in UNROLLED))]
        architecture = queue_draws(*(read_masks(record, each) for each in passes))
        self.streams.queues = {"lengths": [record.tensor(f"{prefix}/bptt_draw")]}
        train, valid = self.batches(prefix)
        if record.meta["unrolled"]:
            self.streams.queues = queue_draws(architecture)
            self.unrolled(prefix, train, valid)
        noise = {"alpha-noise": record.group(f"{prefix}/noise")}
        self.streams.queues = queue_draws(architecture, noise, read_masks(record, f"{prefix}/weight"))
        attack = Attack(search)
        moment = search.moment(epoch - 1)
        self.radius(prefix, moment)
        loss = search.step(train, valid, epoch - 1, record.meta["lr"])
        found.add("training losses", loss, kept[f"{prefix}/loss"])
        found.add("alpha gradients", search.alphas[0].grad, kept[f"{prefix}/grad_alpha/0"])
        found.add("alpha after architecture steps", search.alphas[0], kept[f"{prefix}/alpha_after_arch/0"])
        found.add("hidden states of validation", valid[0].left, kept[f"{prefix}/hidden_valid_after"][0])
        found.add("mixing weights", search.searcher.relax(search.alphas)[0], self.mixing(prefix))
        found.add(
            "perturbed mixing weights", search.last_mix[0], kept.get(f"{prefix}/perturbed/0", self.mixing(prefix))
        )
        found.add("hidden states of training", train[0].left, kept[f"{prefix}/hidden_after"][0])
        found.add("alpha after each step", search.alphas[0], kept[f"{prefix}/alpha_after/0"])
        found.add("gradient norms", search.last_norm, kept[f"{prefix}/grad_norm"])
        found.add("losses with their terms", search.last_descended, kept[f"{prefix}/loss_with_reg"])
        self.weights("weights after each step", f"{prefix}/weights_after")
        if f"{prefix}/ascent/losses" in kept:
            attack.compare(found, prefix)
        found.exactly("all random numbers are used", not any(self.streams.queues.values()))
        after = f"step{number + 1}/epoch"
        if after not in kept or int(kept[after]) != epoch:
            self.evaluate("validation losses", "valid", "eval_batch", f"eval/epoch{epoch}/valid_loss")

    def mixing(self, prefix: str) -> Any:
        """The recorded mixing weights before they are perturbed."""
        kept = self.record.arrays
        key = f"{prefix}/softmax/0"
        return kept[key] if key in kept else self.record.tensor(f"{prefix}/alpha_after_arch/0").softmax(dim=-1)

    def batches(self, prefix: str) -> tuple[Any, Any]:
        """The next stretches, compared with the recorded ones."""
        search, kept, exactly = self.search, self.record.arrays, self.found.exactly
        positions = dict(search.feed.positions)  # type: ignore[attr-defined]
        train, valid = search.feed.next("train"), search.feed.next("valid")
        for (x, y), names in ((train, ("x", "y", "hidden")), (valid, ("xs", "ys", "hidden_valid"))):
            told = [self.record.tensor(f"{prefix}/{name}") for name in names]
            exactly("stretches of text", torch.equal(x.tokens, told[0]) and torch.equal(y, told[1].flatten()))
            entering = torch.zeros_like(told[2][0]) if x.state is None else x.state
            self.found.add("hidden states that enter", entering, told[2][0])
        last = len(search.feed.texts["valid"]) - 1  # type: ignore[attr-defined]
        exactly("positions", positions["train"] == int(kept[f"{prefix}/position"]))
        exactly("positions", positions["valid"] % last == int(kept[f"{prefix}/position_valid"]))
        exactly("lengths", search.feed.length == int(kept[f"{prefix}/seq_len"]))  # type: ignore[attr-defined]
        self.found.add("learning rates", self.record.meta["lr"] * search.feed.rate(train), kept[f"{prefix}/lr"])
        return train, valid

    def radius(self, prefix: str, moment: Moment) -> None:
        """The radius of the perturbation."""
        for part in self.search.regularizers:
            if hasattr(part, "epsilon") and f"{prefix}/epsilon" in self.record.arrays:
                ours = interpolate_until_end(part.epsilon_start, part.epsilon, moment)  # type: ignore[attr-defined]
                self.found.add("radii", ours, self.record.arrays[f"{prefix}/epsilon"])

    def unrolled(self, prefix: str, train: Any, valid: Any) -> None:
        """The parts of a second-order architecture step, which is then taken back."""
        search, kept, found = self.search, self.record.arrays, self.found
        before = {name: value.clone() for name, value in search.net.state_dict().items()}
        search.net.train()
        step = search.architecture_step_of(
            train, valid, self.epoch - 1, self.record.meta["lr"] * search.feed.rate(train)
        )
        passes = Passes(step)
        parts = search.searcher.unrolled(passes.step)  # type: ignore[attr-defined]
        search.net.load_state_dict(before)
        key = f"{prefix}/unrolled"
        found.add("virtual steps: rates", step.learning_rate, kept[f"{key}/eta"])
        found.add("virtual steps: rates times clips", parts.rate, kept[f"{key}/eta"] * kept[f"{key}/clip_coef"])
        names = ("train_loss", "valid_loss", "loss_plus", "loss_minus")
        for name, loss in zip(names, passes.losses, strict=True):
            found.add("virtual steps: losses", loss, kept[f"{key}/{name}"])
        found.add("virtual steps: architecture losses", passes.losses[1], kept[f"{prefix}/arch_loss"])
        found.add("virtual steps: direct gradients", parts.direct[0], kept[f"{key}/grad_alpha/0"])
        found.add("virtual steps: mixed products", parts.implicit[0], kept[f"{key}/implicit/0"])
        norm = torch.nn.utils.get_total_norm(parts.vector)
        found.add("virtual steps: finite differences", FINITE_DIFFERENCE / norm, kept[f"{key}/R"])
        for name, vector in zip(dict(search.net.named_parameters()), parts.vector, strict=True):
            found.add("virtual steps: vectors", vector, kept[f"{key}/vector/{self.told(name)}"])
        for name, value in passes.virtual.items():
            found.add("virtual steps: weights", value, kept[f"{key}/weights/{self.told(name)}"])

    def evaluate(self, quantity: str, part: Any, columns: str, key: str) -> None:
        """A published evaluation, at the mean mixing weights."""
        search = self.search
        mix = search.searcher.relax(search.alphas)
        text = cut_into_columns(self.text.parts[part], self.record.meta[columns])
        scores: Callable[[Any], Tensor] = lambda x: search.net.frozen(x)(mix)  # noqa: E731
        counts_all = search.preset.evaluation_counts_all_rows
        loss = evaluate_text(scores, text, self.text.rows, counts_all_rows=counts_all)
        self.found.add(quantity, loss, self.record.arrays[key])

    def weights(self, quantity: str, prefix: str) -> None:
        for name, value in self.search.net.state_dict().items():
            self.found.add(quantity, value, self.record.arrays[f"{prefix}/{self.told(name)}"])

    def final(self) -> None:
        self.evaluate("test loss", "test", "test_batch", "eval/test_loss")
        self.found.add("final alpha", self.search.alphas[0], self.record.arrays["final/alpha/0"])
        self.weights("final weights", "final/weights")
        self.derived("final architecture", "final/genotype")

    def derived(self, quantity: str, key: str) -> None:
        genotype = str(self.record.arrays[key])
        self.found.exactly(quantity, self.search.derive().encoding == self.space.recorded_encoding(genotype))


UNROLLED = ("train", "valid", "plus", "minus")
"""The passes of a second-order architecture step."""


class Passes:
    """The passes of an architecture step: the loss of each, and the network at which the second was made."""

    def __init__(self, step: Any) -> None:
        self.losses: list[Tensor] = []
        self.virtual: dict[str, Tensor] = {}
        self.step = replace(step, loss=partial(self._loss, step.loss))

    def _loss(self, plain: Any, net: Any, mix: Any, batch: Any) -> Tensor:
        if len(self.losses) == 1:
            self.virtual = {name: value.clone() for name, value in net.state_dict().items()}
        loss: Tensor = plain(net, mix, batch)
        self.losses.append(loss.detach())
        return loss


class Attack:
    """What an attack on a search's mixing weights asks for: the points, their losses and gradients."""

    def __init__(self, search: SupernetSearch) -> None:
        self.points: list[Tensor] = []
        self.losses: list[Tensor] = []
        self.gradients: list[Tensor] = []
        plain = type(search).attacked_loss
        search.attacked_loss = lambda batch: partial(self._loss, plain(search, batch))  # type: ignore[method-assign]

    def _loss(self, plain: Any, mix: Any) -> Tensor:
        (point,) = mix
        if point.requires_grad:
            point.register_hook(self.gradients.append)
        loss: Tensor = plain(mix)
        self.points.append(point.detach().clone())
        self.losses.append(loss.detach())
        return loss

    def compare(self, found: Found, prefix: str) -> None:
        """With a recorded ascent that began at a random point."""
        kept, key = found.record.arrays, f"{prefix}/ascent"
        found.add("ascents: losses", torch.stack(self.losses), kept[f"{key}/losses"])
        found.add("ascents: starts", self.points[1], kept[f"{key}/start/0"])
        found.add("ascents: paths", torch.stack(self.points[2:]), kept[f"{key}/path/0"])
        found.add("ascents: gradients", -torch.stack(self.gradients), kept[f"{key}/grad/0"])
        found.exactly(
            "ascents: what is taken back", bool(self.losses[0] > self.losses[-1]) == bool(kept[f"{key}/reverted"])
        )
