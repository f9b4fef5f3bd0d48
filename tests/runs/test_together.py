"""Two, four and twenty processes on one study: they finish it together, and no run is computed twice."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from tests.conftest import ROOT, SMALL_STUDY

TOGETHER = """
import hashlib, json, os, sys
from pathlib import Path
from harness.runs import run as module
from harness.runs.execute import plan, run_all
from harness.runs.study import load_study

folder = Path(sys.argv[1])
study = load_study(folder / "small.toml")
begin = module.start

def told(run, device):  # what computes a run says so, whether it finishes it or not
    with (out / "computed").open("a") as log:
        log.write(f"{run.folder_name}\\n")
    return begin(run, device)

module.start = told
found = {}
for processes in (2, 4, 20):
    out = folder / str(processes)
    out.mkdir()
    children = []
    for _ in range(processes):
        if (pid := os.fork()) == 0:
            outcomes = list(run_all(plan(study, out), "cpu", 1))
            os._exit(any(o.error for o in outcomes))
        children.append(pid)
    exits = [os.waitpid(pid, 0)[1] for pid in children]
    rows = {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest()
            for name in ("epochs", "lookups") for p in out.glob(f"small/*/{name}.parquet")}
    left = [p.name for p in (out / "small").iterdir() if p.suffix] + [p.name for p in (out / "small/.leases").iterdir()]
    computed = (out / "computed").read_text().split()
    found[processes] = {"exits": exits, "rows": rows, "computed": computed, "left": left}
print(json.dumps(found))
"""


def test_processes_share_a_study(tmp_path: Path) -> None:
    text = SMALL_STUDY.replace('"sdarts-rs", "sdarts-adv", ', "").replace('seeds = "0..1"', 'seeds = "0..2"')
    (tmp_path / "small.toml").write_text(text.replace("epochs = 2", "epochs = 1"))
    done = subprocess.run([sys.executable, "-c", TOGETHER, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for processes, told in found.items():
        assert told["exits"] == [0] * int(processes)
        assert len(told["rows"]) == 2 * 6 and told["rows"] == found["2"]["rows"]
        assert len(told["computed"]) == 6 and set(Counter(told["computed"]).values()) == {1}
        assert told["left"] == []
