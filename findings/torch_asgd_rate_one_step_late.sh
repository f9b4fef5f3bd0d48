#!/usr/bin/env bash
# torch 2.13.0, optim.ASGD: a learning rate that is set before a step is used by the step after it.
#
# Recurrent cells of DARTS and SmoothDARTS are trained as AWD-LSTM is: each batch has a length that is drawn, and before its step the rate
# is set to 20 * length / 35. ASGD, to which that training switches, moves by the `eta` in its state, and makes it anew from the rate only
# after it has moved; so each batch but the first moves by the rate of the batch before it (SGD, before the switch, by its own). And that
# rate is rounded to float32 on the way, also for weights in float64. foreach and single-tensor forms alike; nothing is said.
# Prints what was seen, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "numpy==2.4.6" "torch==2.13.0" 2> /dev/null
"$folder/venv/bin/python" - <<'PY'
import torch

BASE, USUAL, LENGTHS = 20.0, 35, (32, 40, 17, 36)


def moves(kind, **options):
    """By how much a weight moves whose gradient is one, at each step."""
    weight = torch.nn.Parameter(torch.zeros((), dtype=torch.float64))
    optimizer = kind([weight], lr=BASE, **options)
    found = []
    for length in LENGTHS:
        optimizer.param_groups[0]["lr"] = BASE * length / USUAL
        before, weight.grad = weight.item(), torch.ones_like(weight)
        optimizer.step()
        found.append(before - weight.item())
    return found


wanted = [BASE * length / USUAL for length in LENGTHS]
averaged = {"lambd": 0.0, "t0": 0}
seen = {
    "SGD": moves(torch.optim.SGD),
    "ASGD": moves(torch.optim.ASGD, foreach=False, **averaged),
    "ASGD, foreach": moves(torch.optim.ASGD, foreach=True, **averaged),
}
print(f"torch {torch.__version__}; rates set: {', '.join(f'{rate:.3f}' for rate in wanted)}")
for name, found in seen.items():
    print(f"{name} moved by: {', '.join(f'{each:.3f}' for each in found)}")
late = [wanted[0], *wanted[:-1]]
rounded = torch.tensor(late, dtype=torch.float32).double().tolist()
assert max(abs(a - b) for a, b in zip(seen["SGD"], wanted)) < 1e-9, seen
for name in ("ASGD", "ASGD, foreach"):
    assert max(abs(a - b) for a, b in zip(seen[name], rounded)) < 1e-12 < max(abs(a - b) for a, b in zip(seen[name], late)), seen
print("as seen with torch 2.13.0")
PY
