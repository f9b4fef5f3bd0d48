#!/usr/bin/env bash
# torch 2.13.0, CosineAnnealingLR: what DARTS-like search code prints as the learning rate of epoch 0 is above the initial rate.
#
# Such code logs `scheduler.get_lr()[0]` at the beginning of each epoch. For .025 to .001 over 50 epochs get_lr() gives .0250237 before
# the first step of the scheduler, though get_last_lr() and the optimizer have .025; from epoch 1 on it gives less than what is used
# (.0122910 for .013 in the middle). Such a log begins above the rate that was set, and no rate in it is one that was used.
# Prints what was seen, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "numpy==2.4.6" "torch==2.13.0" 2> /dev/null
"$folder/venv/bin/python" - <<'PY'
import warnings

import torch

warnings.simplefilter("ignore")
optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.025)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 50, eta_min=0.001)
seen = []
for epoch in range(50):
    seen.append((scheduler.get_lr()[0], scheduler.get_last_lr()[0], optimizer.param_groups[0]["lr"]))
    optimizer.step()
    scheduler.step()
for epoch in (0, 1, 25, 49):
    print(f"epoch {epoch}: get_lr() {seen[epoch][0]:.7f}, get_last_lr() {seen[epoch][1]:.7f}, used {seen[epoch][2]:.7f}")
assert seen[0][0] > 0.02502 and seen[0][1] == seen[0][2] == 0.025, seen[0]
assert all(asked < used for asked, last, used in seen[1:]) and all(last == used for asked, last, used in seen)
assert abs(seen[25][0] - 0.0122910) < 1e-6 and abs(seen[25][2] - 0.013) < 1e-9, seen[25]
print("as seen with torch 2.13.0")
PY
