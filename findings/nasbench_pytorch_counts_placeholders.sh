#!/usr/bin/env bash
# nasbench_pytorch 1.3.1: parameters() of a NAS-Bench-101 network has numbers that the network never uses, so a count of them is wrong.
#
# Where a vertex has no edge to go through, its network keeps a module that passes its input on and owns one random number. For the cell
# of NAS-Bench-101's own example, whose published trainable_parameters is 2,694,282, summing numel() over parameters() gives 2,694,318:
# 36 of them are such numbers, which have no gradient after a backward pass. How many there are depends on the cell (36, 45, 54 and 63
# were seen), so that neither a table's parameter counts nor their differences between cells come out.
# Prints what was seen, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "numpy==2.4.6" "torch==2.13.0" 2> /dev/null
"$folder/venv/bin/pip" install --quiet --no-deps "nasbench_pytorch==1.3.1" 2> /dev/null
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import torch
from nasbench_pytorch.model.model import Network, Placeholder
from nasbench_pytorch.model.model_spec import ModelSpec

PUBLISHED = 2_694_282
edges = [(0, 1), (0, 2), (0, 3), (0, 5), (1, 6), (2, 6), (3, 4), (4, 6), (5, 6)]
matrix = np.zeros((7, 7), dtype=int)
matrix[tuple(zip(*edges))] = 1
names = ["input", "conv1x1-bn-relu", *["conv3x3-bn-relu"] * 3, "maxpool3x3", "output"]
torch.manual_seed(0)
network = Network(ModelSpec(matrix, names), num_labels=10)
network(torch.randn(2, 3, 32, 32)).sum().backward()
count = sum(p.numel() for p in network.parameters())
idle = sum(p.numel() for p in network.parameters() if p.grad is None)
owned = sum(p.numel() for m in network.modules() if isinstance(m, Placeholder) for p in m.parameters(recurse=False))
print(f"parameters(): {count:,}; without a gradient: {idle}; of placeholders: {owned}; published: {PUBLISHED:,}")
assert (count, idle, owned) == (PUBLISHED + 36, 36, 36), (count, idle, owned)
print("as seen with nasbench_pytorch 1.3.1")
PY
