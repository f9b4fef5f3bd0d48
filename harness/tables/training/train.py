"""Training a table: every distinct cell of a space as a small network on `digits100`.

Networks are trained in stacks (see `stacks/`), one file a stack and trial, so that a killed training goes on where it
was; the finished files become one table.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.core.optimizers import Adam
from harness.core.seeds import derive_seed
from harness.datasets.base import Images
from harness.datasets.digits import DigitPairs
from harness.spaces.base import Space, require_enumerable
from harness.spaces.blocks.stacked import Spec, StackedNetworks
from harness.tables.training.recipe import SPLITS, TableRecipe
from harness.tables.write import save_npz

EVALUATION_BATCH = 250


def stack_class(space: Space) -> type[StackedNetworks]:
    """The networks that the space names for its architectures."""
    found = space.networks().stack
    if found is None:
        raise HarnessError(
            f"space {space.name} names no networks to train a table of its architectures with (Networks.stack): train "
            'single ones with harness train, or let a study say table = "trained"'
        )
    return found


def train_stack(
    kind: type[StackedNetworks], specs: list[Spec], trial: int, recipe: TableRecipe, images: Images
) -> NDArray[Any]:
    """Accuracy in % of every network after every epoch: [networks, 2 splits, epochs].

    Networks of one trial see the same batches and begin with the same weights.
    """
    channels, *_ = images.shape
    held_out = [images.evaluation(part) for part in ("valid", "test")]
    net = kind(
        specs,
        derive_seed("weights", trial),
        channels=recipe.channels,
        classes=images.classes,
        image_channels=channels,
        device=held_out[0][0].device,
    )
    weights = list(net.parameters.values())
    optimizer = Adam(weights, lr=recipe.learning_rate, betas=recipe.betas, foreach=True)
    draws = torch.Generator().manual_seed(derive_seed("train-order", trial))
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
            curves[:, :, done - 1] = np.stack([measure_accuracy(net, x, y) for x, y in held_out], axis=1)
    return curves


def measure_accuracy(net: StackedNetworks, x: Tensor, y: Tensor) -> NDArray[Any]:
    """Accuracy in % of every network, batch norm in eval mode: [networks]."""
    net.training = False
    with torch.no_grad():
        chunks = zip(torch.split(x, EVALUATION_BATCH), torch.split(y, EVALUATION_BATCH), strict=True)
        right = torch.stack([(net(a).argmax(dim=2) == b).sum(dim=1) for a, b in chunks]).sum(dim=0)
    net.training = True
    values: NDArray[Any] = (100 * right / len(y)).cpu().numpy()
    return values


def group_stacks(space: Space, recipe: TableRecipe, limit: int | None = None) -> list[list[Spec]]:
    """The distinct cells of a space (the first `limit` of them in order) in groups that are trained together."""
    kind = stack_class(space)
    specs = sorted(
        kind.specify(a) for a in require_enumerable(space, "a trained table").distinct_architectures().values()
    )
    return kind.group(specs[:limit], recipe.stack)


def train_missing(
    folder: Path,
    space: Space,
    recipe: TableRecipe,
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
        for number, specs in list(enumerate(group_stacks(space, recipe, limit)))[k - 1 :: n]
    ]
    for done, (trial, number, specs) in enumerate(jobs, start=1):
        path = folder / f"trial{trial}-stack{number:03d}.npz"
        if not path.exists():
            curves = train_stack(stack_class(space), specs, trial, recipe, images)
            save_npz(path, specs=np.array([json.dumps(s) for s in specs]), curves=curves)
        yield done, len(jobs)
