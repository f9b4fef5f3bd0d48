"""`harness tables train`: train what is missing, and assemble the table when every stack is there."""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.core.arithmetic import resolve_device, use_one_thread
from harness.core.errors import HarnessError
from harness.core.notation import parse_json
from harness.core.seeds import parse_seeds
from harness.core.text import format_duration, is_whole
from harness.spaces.base import Space, require_enumerable
from harness.spaces.blocks.stacked import Spec
from harness.tables.measure import Column, Measure
from harness.tables.table import Table
from harness.tables.training.recipe import DATASET, SPLITS, TableRecipe
from harness.tables.training.train import group_stacks, stack_class, train_missing
from harness.tables.write import write_table


def train_table(
    folder: Path,
    space: Space,
    *,
    trials: str,
    share: str,
    limit: int | None,
    steps: int | None,
    device: str,
    target: Path | None,
) -> Iterator[str]:
    """Lines of progress; at the end, with `target`, the assembled table is written there."""
    recipe = TableRecipe.of(space) if steps is None else dataclasses.replace(TableRecipe.of(space), steps=steps)
    try:
        wanted = parse_seeds(trials)
    except ValueError as error:
        raise HarnessError(f"--trials: {error}") from None
    k, slash, n = share.partition("/")
    if not (slash and is_whole(k) and is_whole(n) and 1 <= int(k) <= int(n)):
        raise HarnessError(f"--share {share!r} cannot be read: write K/N with 1 <= K <= N, such as 1/2")
    check_recipe(folder, space, recipe)
    began = time.monotonic()
    with use_one_thread():
        for done, total in train_missing(
            folder, space, recipe, wanted, torch.device(resolve_device(device)), limit=limit, share=share
        ):
            left = (time.monotonic() - began) / done * (total - done)
            yield f"{done}/{total} stacks, {format_duration(left)} left"
    if target is not None:
        table = assemble(folder, space, recipe, trials=wanted, target=target, limit=limit)
        yield f"wrote {table.name}: {len(table)} architectures, {len(wanted)} trials, in {target}"


def check_recipe(folder: Path, space: Space, recipe: TableRecipe) -> None:
    """Refuse to mix networks of two spaces or recipes in one folder."""
    path = folder / "recipe.json"
    try:
        same = not path.exists() or parse_json(path.read_bytes()) == {"space": space.name, **recipe.describe()}
    except ValueError:
        same = False
    if not same:
        raise HarnessError(f"{folder} holds networks of another space or recipe ({path}): choose another --work folder")


def assemble(
    folder: Path, space: Space, recipe: TableRecipe, *, trials: list[int], target: Path, limit: int | None = None
) -> Table:
    """The table of the finished stacks: every architecture has the curve of its distinct cell's network."""
    whole = require_enumerable(space, "a trained table")
    groups = group_stacks(space, recipe, limit)
    place = {spec: i for i, spec in enumerate(itertools.chain.from_iterable(groups))}
    specify = stack_class(space).specify
    distinct = {key: specify(a) for key, a in whole.distinct_architectures().items()}
    rows: dict[str, tuple[str, int]] = {}
    for architecture in whole.enumerate():
        found = place.get(distinct[space.canonical_key(architecture)])
        if found is not None:
            rows.setdefault(architecture.key, (architecture.encoding, found))
    index = np.array([found for _, found in rows.values()])
    names = [name for name, _ in rows.values()]
    accuracy: dict[Column, NDArray[Any]] = {}
    curves: dict[Column, NDArray[Any]] = {}
    for trial in trials:
        trained = load_trial(folder, groups, trial)
        for s, split in enumerate(SPLITS):
            column = Column(DATASET, split, recipe.epochs, trial)
            curves[column] = trained[index, s]
            accuracy[column] = trained[index, s, -1]
    table = write_table(
        target,
        space=space.name,
        keys=list(rows),
        names=names if names != list(rows) else None,
        accuracy=accuracy,
        curves=curves,
        validation=Measure(DATASET, "x-valid", recipe.epochs),
        test=Measure(DATASET, "x-test", recipe.epochs),
        about={
            "title": f"every distinct cell of {space.name} as a small network on pairs of handwritten digits",
            "source": "trained by this project (harness tables train)",
            "licence": "Apache-2.0 (images: scikit-learn's digits, UCI, CC BY 4.0)",
            "recipe": recipe.describe(),
        },
        dtype="float32",
    )
    return table


def load_trial(folder: Path, groups: list[list[Spec]], trial: int) -> NDArray[np.float32]:
    """Curves [cells, splits, epochs] of one trial; an error names the first stack that is missing."""
    parts = []
    for number, stack in enumerate(groups):
        path = folder / f"trial{trial}-stack{number:03d}.npz"
        try:
            with np.load(path) as content:
                if content["specs"].tolist() != [json.dumps(spec) for spec in stack]:
                    raise HarnessError(f"{path} holds other cells than stack {number}: train into an empty folder")
                parts.append(content["curves"])
        except HarnessError:
            raise
        except FileNotFoundError:
            raise HarnessError(f"{path} is not trained yet: run every share first") from None
        except (ValueError, KeyError, OSError, zipfile.BadZipFile) as error:
            raise HarnessError(f"{path} is damaged ({error}): delete it and train again") from None
    return np.concatenate(parts)
