"""An exporter: the best architecture of each run, a line each."""

from pathlib import Path

from harness.core.files import write_atomically
from harness.results.exporters.base import Exporter, iterate_runs, tabulate_epochs
from harness.results.runs import Runs


class Lines(Exporter):
    """A text file, one line a run: method, seed, the last architecture."""

    name = "lines"

    def write(self, runs: Runs, study: str, to: str | None) -> str:
        path = Path(to or f"{study}.txt")
        told = [f"{method} {seed} {run['arch'].iloc[-1]}" for method, seed, run in iterate_runs(tabulate_epochs(runs))]
        write_atomically(path, ("\n".join(told) + "\n").encode())
        return str(path)
