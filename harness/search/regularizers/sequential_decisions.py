"""SGAS: choices are decided one after the other while the search goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.lazy import torch
from harness.search.naming import NamedUse
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import ARCHITECTURE_STEPS, SOFTMAX
from harness.search.state import SearchState
from harness.search.steps import Moment
from harness.spaces.base import Architecture, Choices

if TYPE_CHECKING:
    from torch import Tensor


class SequentialDecisions(Regularizer):
    """From `start` on, every `interval`, decide the choice with the highest score for its largest operation, in each
    kind of cell.

    Li et al., SGAS, CVPR 2020 (arXiv 1912.00195). Of the mixing weights a: importance 1 - a_none, certainty 1 - H /
    ln K of the others (K of them, made to sum to one), stability the mean histogram intersection with the last
    `history` epochs; each is scaled to [0, 1] over all choices, those that are decided with the logits that they were
    decided at, and the score is the product of the first two (criterion 1), or of all three (criterion 2). Where a
    node keeps some of its edges only, the others are left out once those are decided.

    Adapted: where no operation gives nothing, importance is no factor, since it is one up to rounding errors, which
    scaling would blow up; the batch does not grow after decisions; parents of NAS-Bench-1Shot1 are left alone.
    """

    name = "sequential-decisions"
    paper = "Li et al., CVPR 2020 (1912.00195)"
    decisions = ("decision_sgas",)
    revision = 2
    methods: ClassVar = {"sgas": NamedUse()}
    needs = (SOFTMAX, ARCHITECTURE_STEPS)
    neutral: ClassVar[dict[str, Any]] = {"start": 1}
    status = "adapted"
    criterion: int = Field(1, ge=1, le=2)
    """1: importance times certainty; 2: times stability as well."""
    start: float = Field(0.18, ge=0, le=1)
    """Shares of the search (9 and 5 of 50 epochs), at least one epoch apart."""
    interval: float = Field(0.1, gt=0, le=1)
    """Shares of the search (9 and 5 of 50 epochs), at least one epoch apart."""
    history: int = Field(4, ge=1)
    """Epochs that stability looks back on."""

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        memory = search.memory.setdefault(self.name, {})
        first, every = round(self.start * search.epochs), max(1, round(self.interval * search.epochs))
        due = moment.epoch >= first and (moment.epoch - first) % every == 0
        for tensor in search.space.operation_tensors():
            own = memory.setdefault(tensor, make_empty_memory())
            choices, alpha = search.space.tensors[tensor], search.alphas[tensor].detach()
            self.look(own, alpha, choices, search.space.zero)
            for row, operation in (self.decided(own, alpha, choices) if due else {}).items():
                search.decide(tensor, row, [] if operation is None else [operation], frozen=True)

    def derive(self, search: SearchState) -> Architecture | None:
        """Where a node keeps some of its edges: those that are decided, then the most important ones."""
        space = search.space
        if all(choices.keeps is None for choices in space.tensors):
            return None
        taken: list[dict[int, int | None]] = [{} for _ in search.alphas]
        for (tensor, row), choice in search.decided.items():
            taken[tensor][row] = choice["kept"][0] if choice["kept"] else None
        alphas = [alpha.detach().cpu() for alpha in search.alphas]
        rows = [compute_strengths(*told, space.zero) for told in zip(alphas, taken, space.tensors, strict=True)]
        return space.strongest([r.numpy() for r in rows])

    def look(self, memory: dict[str, Any], alpha: Tensor, choices: Choices, zero: str | None) -> None:
        """Score the choices of a tensor [choices, options]; keep what decisions need in `memory`."""
        memory["open"] = list_options_but(choices, zero)
        mix = alpha.softmax(dim=-1)[:, memory["open"]]
        total = mix.sum(dim=-1)
        others = mix / total[:, None]
        importance = None if len(memory["open"]) == alpha.shape[1] else total
        past = memory["history"]
        memory["scores"] = compute_scores(importance, others, past if self.criterion == 2 else None)
        memory["history"] = [*past, others][-self.history :]

    def decided(self, memory: dict[str, Any], alpha: Tensor, choices: Choices) -> dict[int, int | None]:
        """The next choice's row and operation; with it rows that are left out, and None."""
        taken = memory["taken"]
        candidates = [row for row in range(len(alpha)) if row not in taken]
        if not candidates:
            return {}
        row = max(candidates, key=lambda candidate: float(memory["scores"][candidate]))  # the first of equal ones
        open_ = memory["open"]
        new: dict[int, int | None] = {row: open_[int(alpha[row, open_].argmax())]}
        if choices.keeps is not None:
            node = [r for r in range(len(alpha)) if choices.nodes[r] == choices.nodes[row]]
            if sum(r in taken or r in new for r in node) == choices.keeps:
                new |= {r: None for r in node if r not in taken and r not in new}
        taken |= new
        return new


def list_options_but(choices: Choices, zero: str | None) -> list[int]:
    """The places of the options that give something."""
    return [place for place, name in enumerate(choices.options[0]) if name != zero]


def compute_strengths(alpha: Tensor, taken: dict[int, int | None], choices: Choices, zero: str | None) -> Tensor:
    """What the edges of a node are compared by, [choices, options]: decided ones come first; the others each by its
    importance, at its largest operation, and by that one's weight where importance would be one for all."""
    mix, open_ = alpha.softmax(dim=-1), list_options_but(choices, zero)
    found = torch.zeros_like(mix)
    for row, own in enumerate(mix):
        best = open_[int(own[open_].argmax())]
        operation = taken.get(row, best)
        if operation is not None:
            importance = own[open_].sum() if len(open_) < len(own) else own[best]
            found[row, operation] = 2.0 if row in taken else importance
        else:
            found[row] = -1.0
    return found


def make_empty_memory() -> dict[str, Any]:
    """What is remembered of a tensor at the beginning. taken: operations of rows; None: it is left out."""
    return {"taken": {}, "history": []}


def compute_scores(importance: Tensor | None, others: Tensor, history: list[Tensor] | None) -> Tensor:
    """The score of every choice. importance: [choices], None: of no difference; others: [choices, operations]; history:
    for criterion 2, no choice is stable without one."""
    entropy = -torch.special.xlogy(others, others).sum(dim=-1) / torch.tensor(others.shape[-1]).log()
    score = scale_to_unit(1 - entropy)
    if importance is not None:
        score = scale_to_unit(importance) * score
    if history is not None:
        overlaps = [torch.minimum(others, past).sum(dim=-1) for past in history]
        score = score * scale_to_unit(torch.stack(overlaps).mean(dim=0) if overlaps else torch.zeros_like(score))
    return score


def scale_to_unit(values: Tensor) -> Tensor:
    """To [0, 1] by the smallest and the largest; all zero where they are equal."""
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else torch.zeros_like(values)
