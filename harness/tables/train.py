"""Training a table: every distinct cell of a space as a small network on `digits100`.

Networks are trained in stacks (see `stacks/`), one file a stack and trial, so that a killed training goes on where it
was; the finished files become one table.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from harness.datasets.base import Images
from harness.datasets.digits import DigitPairs
from harness.spaces.base import Space
from harness.streams import derive_seed
from harness.tables.stacks.base import Spec, StackedNetworks

SPLITS = ("x-valid", "x-test")
EVALUATION_BATCH = 250


@dataclass(frozen=True)
class Recipe:
    """How each network of the table is trained. The pilots behind these numbers are in docs/tables.md.

    channels: of the first stage (doubled twice). steps: of `batch_size` fresh pairs; an epoch of the curve is
    steps / epochs of them. learning_rate: of Adam, after a linear warm-up, to zero by a cosine. stack: networks
    trained together.
    """

    channels: int = 4
    steps: int = 240
    batch_size: int = 64
    learning_rate: float = 0.02
    betas: tuple[float, float] = (0.9, 0.99)
    warmup_steps: int = 20
    epochs: int = 4
    stack: int = 80

    @classmethod
    def of(cls, space: Space) -> Recipe:
        """The recipe of a space's table: its network needs more channels where a cell's vertices share them."""
        return cls(channels=8, stack=24) if space.name.startswith("nasbench1shot1") else cls()

    def describe(self) -> dict[str, Any]:
        """The fields as JSON gives them back."""
        fields: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return fields

    def rate(self, step: int) -> float:
        warm = min(1.0, (step + 1) / self.warmup_steps)
        return self.learning_rate * warm * (1 + math.cos(math.pi * step / self.steps)) / 2


def stack_class(space: Space) -> type[StackedNetworks]:
    """The networks that the space names for its architectures."""
    module, _, name = space.stack.partition(":")
    found: type[StackedNetworks] = getattr(importlib.import_module(module), name)
    return found


def train_stack(
    kind: type[StackedNetworks], specs: list[Spec], trial: int, recipe: Recipe, images: Images, device: torch.device
) -> NDArray[Any]:
    """Accuracy in % of every network after every epoch: [networks, 2 splits, epochs].

    Networks of one trial see the same batches and begin with the same weights.
    """
    channels, *_ = images.shape
    net = kind(
        specs,
        derive_seed("weights", trial),
        channels=recipe.channels,
        classes=images.classes,
        image_channels=channels,
        device=device,
    )
    weights = list(net.parameters.values())
    optimizer = torch.optim.Adam(weights, lr=recipe.learning_rate, betas=recipe.betas, foreach=True)
    draws = torch.Generator().manual_seed(derive_seed("train-order", trial))
    held_out = [images.evaluation(part) for part in ("valid", "test")]
    curves = np.empty((len(specs), len(SPLITS), recipe.epochs), dtype=np.float32)
    for step in range(recipe.steps):
        index = torch.randint(0, images.size("train"), (recipe.batch_size,), generator=draws)
        x, y = images.batch("train", index, draws)
        # mean over the batch, sum over the networks: each network gets its own mean gradient
        loss = F.cross_entropy(net(x).flatten(0, 1), y.repeat(len(specs)), reduction="sum") / len(y)
        for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            weight.grad = gradient
        optimizer.param_groups[0]["lr"] = recipe.rate(step)
        optimizer.step()
        done, rest = divmod((step + 1) * recipe.epochs, recipe.steps)
        if rest == 0:
            curves[:, :, done - 1] = np.stack([accuracy(net, x, y) for x, y in held_out], axis=1)
    return curves


def accuracy(net: StackedNetworks, x: Tensor, y: Tensor) -> NDArray[Any]:
    """Accuracy in % of every network, batch norm in eval mode: [networks]."""
    net.training = False
    with torch.no_grad():
        chunks = zip(torch.split(x, EVALUATION_BATCH), torch.split(y, EVALUATION_BATCH), strict=True)
        right = torch.stack([(net(a).argmax(dim=2) == b).sum(dim=1) for a, b in chunks]).sum(dim=0)
    net.training = True
    values: NDArray[Any] = (100 * right / len(y)).cpu().numpy()
    return values


def stacks(space: Space, recipe: Recipe, limit: int | None = None) -> list[list[Spec]]:
    """The distinct cells of a space (the first `limit` of them in order) in groups that are trained together."""
    kind = stack_class(space)
    specs = sorted(kind.specify(a) for a in space.distinct_architectures().values())
    return kind.group(specs[:limit], recipe.stack)


def work(
    folder: Path,
    space: Space,
    recipe: Recipe,
    trials: list[int],
    device: torch.device,
    *,
    limit: int | None = None,
    share: str = "1/1",
) -> Iterator[tuple[int, int]]:
    """Train what is missing under `folder`, yielding (files done, files in all) after each.

    share "k/n": only every n-th stack, beginning with the k-th, so that n processes can divide the work.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text(json.dumps({"space": space.name, **recipe.describe()}))
    images = DigitPairs().load(device)
    k, n = map(int, share.split("/"))
    jobs = [
        (trial, number, specs)
        for trial in trials
        for number, specs in list(enumerate(stacks(space, recipe, limit)))[k - 1 :: n]
    ]
    for done, (trial, number, specs) in enumerate(jobs, start=1):
        path = folder / f"trial{trial}-stack{number:03d}.npz"
        if not path.exists():
            curves = train_stack(stack_class(space), specs, trial, recipe, images, device)
            partial = path.with_suffix(f".{os.getpid()}.tmp")
            with partial.open("wb") as stream:
                np.savez(stream, specs=np.array([json.dumps(s) for s in specs]), curves=curves)
            partial.rename(path)
        yield done, len(jobs)
