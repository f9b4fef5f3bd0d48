#!/usr/bin/env bash
# torch 2.13.0: the first optimizer of a process imports torch._dynamo, and Module.to_empty imports SymPy, also where nothing is compiled.
#
# Searches of minutes are started by the hundred, in a process each. optim.SGD(...) calls add_param_group, which is wrapped so that it looks for
# torch._dynamo; step, state_dict and load_state_dict are, too. A network that was built on the meta device, so that building draws no random
# numbers, takes its memory by to_empty, whose empty_like goes through torch._refs and needs SymPy. On the machine where this was
# seen, both took 1.5 of the 4.3 CPU seconds of a whole search of three steps, and 70 MB. The methods below the wrappers (inspect.unwrap) and
# load_state_dict(assign=True) of empty tensors do the same without. Prints what was seen, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "numpy==2.4.6" "torch==2.13.0" 2> /dev/null
"$folder/venv/bin/python" - <<'PY'
import sys
import time
from inspect import unwrap

import torch

WATCHED = "torch._dynamo", "sympy"


def watch(name, function):
    """What a call imports, and its CPU seconds."""
    before, began = set(sys.modules), time.process_time()
    function()
    fresh = set(sys.modules) - before
    found = [package for package in WATCHED if package in fresh]
    print(f"{name}: imports {len(fresh)} modules, {', '.join(found) or 'neither'}; {time.process_time() - began:.2f} s")
    return found


class Plain(torch.optim.SGD):
    add_param_group = unwrap(torch.optim.SGD.add_param_group)


def assign():
    with torch.device("meta"):
        net = torch.nn.Conv2d(3, 4, 3)
    net.load_state_dict({name: torch.empty(t.shape) for name, t in net.state_dict().items()}, assign=True)


with torch.device("meta"):
    on_meta = torch.nn.Conv2d(3, 4, 3)
weights = [torch.nn.Parameter(torch.zeros(3))]
assert not [package for package in WATCHED if package in sys.modules], "torch itself imports neither"
assert watch("SGD without the wrapper", lambda: Plain(weights, lr=0.1)) == []
assert watch("load_state_dict(assign=True)", assign) == []
assert watch("to_empty", lambda: on_meta.to_empty(device="cpu")) == ["sympy"]
assert "torch._dynamo" in watch("SGD", lambda: torch.optim.SGD(weights, lr=0.1))
print("as seen with torch", torch.__version__.partition("+")[0])
PY
