"""NAS-Bench-101's cells as nasbench_pytorch builds and files them, to hold a converted table against."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np

from harness.tables.formats.base import HeldNumber
from harness.tables.formats.tfrecord import read_records
from harness.tables.table import Table

OPERATIONS = ("conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3")
INPUT, OUTPUT = -1, -2
"""Labels of the ends of a cell in the package's hash."""


def hold_against_package(table: Table, path: Path, chosen: Collection[int]) -> Iterator[HeldNumber]:
    """Of these cells of a file, by the order in which they come: the hash by which the package files them beside the
    file's (0: equal), and the weights of the package's network beside the table's, in millions."""
    from nasbench_pytorch.model.graph_util import hash_module
    from nasbench_pytorch.model.model import Network, Placeholder
    from nasbench_pytorch.model.model_spec import ModelSpec

    seen: set[str] = set()
    for _, data in read_records(path):
        key, epochs, adjacency, operations, _ = json.loads(data)
        if key in seen:
            continue
        seen.add(key)
        if len(seen) - 1 not in chosen:
            continue
        size = len(adjacency) and int(len(adjacency) ** 0.5)
        matrix, names = np.array([int(c) for c in adjacency]).reshape(size, size), operations.split(",")
        labels = [INPUT, *(OPERATIONS.index(name) for name in names[1:-1]), OUTPUT]
        yield HeldNumber(f"cell {key}, its hash", 0.0, float(hash_module(matrix, labels) != key))
        parts = Network(ModelSpec(matrix, names), num_labels=10).modules()
        # its placeholders hold a number each that nothing reads
        used = (p for part in parts if not isinstance(part, Placeholder) for p in part.parameters(recurse=False))
        weights = sum(p.numel() for p in used)
        ours = table.costs(key, "cifar10", epochs)["parameters_M"]
        yield HeldNumber(f"cell {key}, weights in millions", ours, weights / 1e6)
