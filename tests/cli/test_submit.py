"""The script of an array job, and what is said at once of executors that cannot be."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.cli.main import main


def call(*words: object) -> Result:
    return CliRunner().invoke(main, [str(w) for w in words])


def test_the_script_is_printed(small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cluster.toml").write_text('[executor]\nname = "slurm"\npartition = "short"\nother = {qos = "low"}\n')
    words = ("--set", "epochs=1", "--set", 'methods=["random-search"]', "--seeds", "0..4", "--out", "o u t")
    where = ("--time", "4h", "--gpus", 1, "--set-executor", "partition=long", "--cluster", "cluster.toml")
    done = call("submit", small_study, *words, *where, "--jobs", 3, "--dry-run")
    assert (done.exit_code, done.stderr) == (0, "")
    assert (
        done.stdout
        == f"""#!/bin/bash
# Every task takes the next run that is not finished and that nobody computes, until there is none.
#SBATCH --job-name=harness
#SBATCH --time=240
#SBATCH --cpus-per-task=1
#SBATCH --gpus-per-node=1
#SBATCH --partition=long
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --qos=low
#SBATCH --array=0-2
#SBATCH --signal=USR1@60
#SBATCH --chdir={tmp_path}
srun --cpus-per-task=1 {sys.executable} -m harness run {small_study} --out 'o u t' --jobs 1 --no-wait --seeds 0..4 \
--set epochs=1 --set 'methods=["random-search"]'
code=$?
if [ $code -eq 138 ]; then  # stopped by the warning before the time limit: queued again, it goes on from there
  scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"
fi
exit $code
"""
    )
    assert subprocess.run(["bash", "-n"], input=done.stdout, text=True).returncode == 0
    assert not (tmp_path / "o u t").exists()


@pytest.mark.parametrize(
    ("words", "cluster", "message"),
    [
        (("--time", "4 hours"), "", "executor 'slurm': time = '4 hours' is not usable: write 30m, 4h or 2d"),
        (("--set-executor", "partitoin=x"), "", "executor 'slurm' has no key 'partitoin': did you mean 'partition' or"),
        (("--set-executor", "partition"), "", "--set-executor 'partition' cannot be read: write --set-executor part"),
        (("--executor", "local", "--gpus", 2), "", "executor 'local' has no key 'gpus'"),
        (("--executor", "local"), "", "the executor 'local' has no queue to submit to: see harness list executors"),
        ((), "x = [", "cluster.toml is not valid TOML: "),
        (
            (),
            'partition = "x"',
            r"is to have one section, [executor], with a name and that executor's fields, not 'part",
        ),
        ((), "[executor]\nname = 3", "name = 3 is no executor's name: see harness list executors"),
        ((), '[executor]\nname = "slrum"', "unknown executor 'slrum': did you mean 'slurm'?"),
        (("--set", "epochs=0"), "", "epochs"),
    ],
)
def test_what_cannot_be_is_said_at_once(
    words: tuple[object, ...], cluster: str, message: str, small_study: Path, tmp_path: Path
) -> None:
    if cluster:
        (tmp_path / "cluster.toml").write_text(cluster)
        words = ("--cluster", tmp_path / "cluster.toml")
    done = call("submit", small_study, *words, "--out", tmp_path / "out", "--dry-run")
    assert done.exit_code == 2
    assert message in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_run_takes_the_same_options(small_study: Path, tmp_path: Path) -> None:
    done = call("run", small_study, "--executor", "slurm", "--time", "soon", "--out", tmp_path / "out")
    assert done.exit_code == 2 and "time = 'soon' is not usable: write 30m, 4h or 2d" in done.stderr
