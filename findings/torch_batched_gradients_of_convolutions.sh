#!/usr/bin/env bash
# torch 2.13.0: autograd.grad(is_grads_batched=True) differentiates convolutions and batch norms twice one vector after another.
#
# A Hessian over architecture logits is a second derivative through a one-shot network, a row a vector, and a batched pass is meant to compute
# many rows at once. Of six rows, this one computes as many convolutions as six passes do, without a word. torch.func.vmap over
# torch.autograd.grad computes one batched convolution where the others compute six, of the same graph; and where the batched pass gives
# the bits of single rows, it rounds otherwise. Counted with PyTorch's profiler. Prints what was seen, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "numpy==2.4.6" "torch==2.13.0" 2> /dev/null
"$folder/venv/bin/python" - <<'PY' 2> /dev/null
import torch
from torch import nn
from torch.nn import functional as F
from torch.profiler import ProfilerActivity, profile

torch.manual_seed(0)
torch.set_num_threads(1)
images, labels = torch.randn(4, 3, 8, 8), torch.randint(0, 5, (4,))
stem, head = nn.Conv2d(3, 6, 3, padding=1), nn.Linear(6, 5)
candidates = nn.ModuleList(
    nn.Sequential(nn.ReLU(), nn.Conv2d(6, 6, k, padding=k // 2, bias=False), nn.BatchNorm2d(6)) for k in (1, 3, 5)
)
logits = torch.randn(2, 3, requires_grad=True)


def loss():
    """Two mixed edges in a row, each the weighted sum of its candidates."""
    x = stem(images)
    for weights in logits.softmax(-1):
        x = sum(w * candidate(x) for w, candidate in zip(weights, candidates))
    return F.cross_entropy(head(x.mean((2, 3))), labels)


(slopes,) = torch.autograd.grad(loss(), logits, create_graph=True)
slopes, vectors = slopes.flatten(), torch.eye(6)


def row(vector):
    return torch.autograd.grad(slopes, logits, vector, retain_graph=True)[0].flatten()


def batched():
    return torch.autograd.grad(slopes, logits, vectors, retain_graph=True, is_grads_batched=True)[0].flatten(1)


ways = {
    "row by row": lambda: torch.stack([row(vector) for vector in vectors]),
    "is_grads_batched": batched,
    "torch.func.vmap": lambda: torch.func.vmap(row)(vectors),
}
found, counts = {}, {}
for name, way in ways.items():
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        found[name] = way()
    events = [event.name for event in seen.events()]
    counts[name] = events.count("aten::_convolution"), events.count("aten::native_batch_norm_backward")
    print(f"{name}: {counts[name][0]} convolutions, {counts[name][1]} backward passes of batch norm")
assert counts["is_grads_batched"][0] == counts["row by row"][0] == 6 * counts["torch.func.vmap"][0], counts
assert counts["is_grads_batched"][1] >= counts["row by row"][1] > 2 * counts["torch.func.vmap"][1], counts
assert torch.equal(found["is_grads_batched"], found["row by row"])
assert torch.allclose(found["torch.func.vmap"], found["row by row"], rtol=1e-4, atol=1e-7)
print("as seen with torch", torch.__version__.partition("+")[0])
PY
