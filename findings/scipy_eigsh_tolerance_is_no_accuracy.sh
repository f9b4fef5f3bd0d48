#!/usr/bin/env bash
# SciPy 1.17.1, scipy.sparse.linalg.eigsh: the largest eigenvalue can be off by three times its `tol`, without a word.
#
# The documentation calls `tol` the relative accuracy for eigenvalues. What is compared with it is the residual of a pair, which says only that
# some eigenvalue is near. Of 200 symmetric matrices (30 x 30, largest eigenvalues 1 and .97, the others from -2 to .5), eigsh(k=1, which="LA",
# tol=.01) gives the second one, 3 % too low, in 17 with ncv=6 and in 13 with ncv=8, and raises nothing; with ncv=20, SciPy's own choice here, in
# none. Who looks for the dominant eigenvalue of a network's Hessian with few products takes a small ncv.
# Prints what was seen, and fails if that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "numpy==2.4.6" "scipy==1.17.1" 2> /dev/null
"$folder/venv/bin/python" - <<'PY'
import numpy as np
from scipy.sparse.linalg import eigsh

values = np.concatenate([np.linspace(-2, 0.5, 28), [0.97, 1.0]])
errors = {}
for ncv in (6, 8, 20):
    found = []
    for seed in range(200):
        draw = np.random.default_rng(seed)
        basis = np.linalg.qr(draw.normal(size=(30, 30)))[0]
        matrix = (basis * values) @ basis.T
        options = {"ncv": ncv, "v0": draw.normal(size=30), "return_eigenvectors": False}
        found.append(eigsh((matrix + matrix.T) / 2, k=1, which="LA", tol=0.01, **options)[0])
    errors[ncv] = np.abs(np.array(found) - 1)
    print(f"ncv {ncv}: off by more than tol in {(errors[ncv] > 0.01).sum()} of 200, at worst by {errors[ncv].max():.2%}")
assert "Relative accuracy for eigenvalues (stopping criterion)" in eigsh.__doc__
assert (errors[6] > 0.01).sum() >= 5 and (errors[8] > 0.01).sum() >= 5, errors
assert all(0.02 < errors[ncv].max() < 0.04 for ncv in (6, 8)), errors
assert errors[20].max() < 1e-4, errors
print("as seen with SciPy 1.17.1")
PY
