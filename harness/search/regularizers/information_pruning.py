"""IS-DARTS: no alpha; operations are taken out by how much information their feature maps hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from harness.core.lazy import nn, torch
from harness.datasets.base import Part
from harness.search.naming import AUTODL, NamedUse, SearchRecipe
from harness.search.regularizers.base import Regularizer
from harness.search.searchers.base import ARCHITECTURE_STEPS, SOFTMAX
from harness.search.state import SearchState
from harness.search.steps import Moment, WeightStep
from harness.spaces.base import IMAGES, Architecture, Choices
from harness.spaces.blocks.mix import Mix, keep_buffers, use_evaluation_mode

if TYPE_CHECKING:
    from torch import Tensor

    from harness.spaces.blocks.supernet import Supernet

BOTH_HALVES = {"batch_size": 32, "nesterov": True}
"""64 images a step, as published: 32 of each half."""

Candidate = tuple[int, int]
"""An operation by its row and column."""


class InformationPruning(Regularizer):
    """The one-shot network is trained alone, each of the K operations of a choice at the mixing weight 1 / K. After
    epochs E - 1, E - 1 - `interval`, ..., `shrinks` of them, those with the largest F are taken out; what is left
    keeps the weight 1 / K.

    He et al., IS-DARTS, AAAI 2024 (arXiv 2312.12648), whose code (HY-HE/IS-DARTS, ISDARTS.py and shrink_metric.py)
    this was written from. Of the output y of an operation, m and s the mean and the standard deviation (divisor C -
    1) of the C channels of a pixel, F is the mean of 3 (y - m)^2 / s^6, which is that of 3 (C - 1) / (C s^4), over
    channels, pixels, images and cells. Of L candidates of which T may stay, the one-but-i-th shrink (i = 0 for the
    last) takes out ceil((L - T) / (i + 1)). T is one a choice; where a node keeps some of its edges, all operations
    of all its edges are the candidates, and T those edges. NAS-Bench-201: 4 shrinks, 2 epochs apart, of 30; DARTS'
    cells: 7, 3 epochs apart, of 50. Earlier epochs record what has the least F of what is left; those before the
    first shrink the initial logits.

    Both halves train the weights, as published: a step's gradient is the mean of those of a training and of a
    validation minibatch, so validation images are not held out here. Adapted: F is of plain images (published:
    augmented); a node's candidates stay on as many edges as it keeps, where the published ones may end on a single
    one; pixels whose channels are all equal have no F and are left out (published: infinite). Where operations end in
    ReLU there are many of them, and F rests on others that are nearly so. Batch norm of candidates by the batch's
    statistics, else by the running ones. Parents of NAS-Bench-1Shot1 stay as they began.
    """

    name = "information-pruning"
    paper = "He et al., AAAI 2024 (2312.12648)"
    asks = (IMAGES,)
    recipes: ClassVar = {
        "": SearchRecipe(
            "HY-HE/IS-DARTS isdarts_darts.sh, and AutoDL-Projects' configs/search-opts/DARTS-NASNet-CIFAR.config",
            {**AUTODL, **BOTH_HALVES},
            16,
            50,
            fields={"information-pruning": {"shrinks": 7, "interval": 3}},
        ),
        "nasbench201": SearchRecipe(
            "HY-HE/IS-DARTS isdarts_nasbench.sh, configs/nas-benchmark/algos/DARTS.config",
            {**AUTODL, **BOTH_HALVES, "weight_decay": 3e-4},
            16,
            30,
        ),
    }
    methods: ClassVar = {"is-darts": NamedUse(official={"at_once": True})}
    needs = (SOFTMAX, ARCHITECTURE_STEPS)
    neutral: ClassVar[dict[str, Any]] = {"shrinks": 0}
    status = "adapted"
    revision = 2
    without_alpha = True
    counts = "none"
    shrinks: int = Field(4, ge=0)
    """How often options are taken out."""
    interval: int = Field(2, ge=1)
    """Epochs between two shrinks."""
    at_once: bool = False
    """A node's candidates are all taken out at the first shrink. The published code counts its shrinks from the last
    one, and divides by the number of those that are over."""

    @property
    def holds_alpha(self) -> bool:
        return self.shrinks > 0

    def alpha_moves(self, moment: Moment) -> bool:
        return not self.holds_alpha

    def passes(self) -> tuple[int, int]:
        return (1, 1) if self.shrinks else (0, 0)

    def perturb(self, mix: list[Tensor], step: WeightStep) -> list[Tensor]:
        return equalize_operations(mix, step.moment.space.operation_tensors()) if self.shrinks else mix

    def weight_gradients(
        self, gradients: list[Tensor | None], mix: list[Tensor], step: WeightStep
    ) -> list[Tensor | None]:
        if not self.shrinks:
            return gradients
        others = torch.autograd.grad(step.valid_loss(mix), list(step.net.parameters()), allow_unused=True)
        pairs = zip(gradients, others, strict=True)
        return [a if b is None else b / 2 if a is None else (a + b) / 2 for a, b in pairs]

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        later = self.shrinks_after(moment.epoch + 1, moment.epochs)
        if later is None:
            return
        mix = equalize_operations(search.searcher.relax(search.alphas), search.space.operation_tensors())
        found = compute_information(search, search.net.constrained([m.detach() for m in mix]))
        search.memory[self.name] = found
        for tensor, values in found.items():
            choices = search.space.tensors[tensor]
            target, parts = choices.keeps or 1, 1 if self.at_once and choices.keeps else later + 1
            for rows in group_rows_by_node(choices):
                candidates = [(row, option) for row, option in self.left(search, tensor) if row in rows]
                kept = drop_largest(candidates, values, target, math.ceil((len(candidates) - target) / parts))
                for row in rows:
                    search.decide(tensor, row, [o for r, o in kept if r == row], part=1 / values.shape[1])

    def shrinks_after(self, trained: int, epochs: int) -> int | None:
        """How many shrinks follow the one after so many epochs; None where there is none then."""
        later, between = divmod(max(1, epochs - 1) - trained, self.interval)
        return later if between == 0 and 0 <= later < self.shrinks else None

    @staticmethod
    def left(search: SearchState, tensor: int) -> list[Candidate]:
        """The operations of a tensor that have not been taken out."""
        count, options = search.space.tensors[tensor].shape
        kept = {row: search.decided.get((tensor, row), {"kept": range(options)})["kept"] for row in range(count)}
        return [(row, option) for row in range(count) for option in kept[row]]

    def derive(self, search: SearchState) -> Architecture | None:
        """What has the least F of what is left."""
        found: dict[int, Tensor] = search.memory.get(self.name, {})
        if not found:
            return None
        strengths = [alpha.detach().cpu().softmax(dim=-1).double() for alpha in search.alphas]
        for tensor, values in found.items():
            strengths[tensor].fill_(-1.0)
            for row, option in self.left(search, tensor):
                strengths[tensor][row, option] = 1 / (1 + values[row, option])
        return search.space.strongest([s.numpy() for s in strengths])


def equalize_operations(mix: Mix, tensors: Sequence[int]) -> list[Tensor]:
    """Mixing weights, those of the tensors of operations all equal."""
    return [torch.full_like(m, 1 / m.shape[-1]) if place in tensors else m for place, m in enumerate(mix)]


def group_rows_by_node(choices: Choices) -> list[list[int]]:
    """The rows whose operations are compared with each other: of each node, where it keeps some of its edges."""
    if choices.keeps is None:
        return [[row] for row in range(len(choices.options))]
    return [[row for row, n in enumerate(choices.nodes) if n == node] for node in dict.fromkeys(choices.nodes)]


def drop_largest(candidates: Sequence[Candidate], values: Tensor, target: int, count: int) -> list[Candidate]:
    """The candidates but the `count` with the largest values, the first of equal ones; they stay on `target` rows."""
    kept = list(candidates)
    for candidate in sorted(candidates, key=lambda c: -float(values[c])):
        rows = [row for row, _ in kept]
        if len(kept) == len(candidates) - count:
            break
        if rows.count(candidate[0]) > 1 or len(set(rows)) > target:
            kept.remove(candidate)
    return kept


def compute_pixel_information(y: Tensor) -> Tensor:
    """3 (C - 1) / (C s^4) of each pixel of a feature map [batch, C, height, width], s^2 its channels' variance (divisor
    C - 1); NaN where they are all equal. [batch, height, width], in double precision."""
    channels = y.shape[1]
    if channels == 1:
        return y.new_full((len(y), *y.shape[2:]), float("nan"), dtype=torch.float64)
    variance = y.double().var(dim=1)
    found = 3 * (channels - 1) / channels / variance.square()
    return found.where(variance > 0, torch.full_like(found, float("nan")))


def compute_information(search: SearchState, mix: Mix) -> dict[int, Tensor]:
    """F of every operation, over all plain images of both halves, by tensor [choices, options]: the mean over cells, on
    the host; infinite where no pixel has one, and for what is not computed."""
    tensors = search.space.operation_tensors()
    # mixing weights are handed on as they are, so where they lie in memory says whose operation is heard
    rows = {own.data_ptr(): (tensor, row) for tensor in tensors for row, own in enumerate(mix[tensor])}
    sums = {t: torch.zeros(2, *mix[t].shape, dtype=torch.float64, device=search.device) for t in tensors}

    def listener(weights: Tensor, option: int, y: Tensor) -> None:
        tensor, row = rows[weights.data_ptr()]
        found = compute_pixel_information(y)
        defined = ~found.isnan()
        # an image's sum over pixels is one over their number, so that cells of all sizes count alike
        size = found.shape[1] * found.shape[2]
        sums[tensor][0, row, option] += found.where(defined, torch.zeros_like(found)).sum() / size
        sums[tensor][1, row, option] += defined.sum() / size

    with torch.no_grad(), normalize_candidates_by_batch(search.net), search.net.heard(listener):
        halves: tuple[Part, ...] = ("train", "valid")
        for part in halves:
            for images in torch.split(search.images.evaluation(part)[0], search.training.batch_size):
                search.net(images, mix)
    return {t: (total / count).nan_to_num(nan=math.inf).cpu() for t, (total, count) in sums.items()}


@contextmanager
def normalize_candidates_by_batch(net: Supernet) -> Iterator[None]:
    """While the block runs, batch norm of candidates has the batch's statistics, every other one the running ones; all
    of them are left as they were."""
    from harness.spaces.blocks.supernet import MixedOperation

    with use_evaluation_mode(net), keep_buffers(net):
        for mixed in net.modules():
            if isinstance(mixed, MixedOperation):
                for norm in mixed.modules():
                    if isinstance(norm, nn.BatchNorm2d):
                        norm.train()
        yield
