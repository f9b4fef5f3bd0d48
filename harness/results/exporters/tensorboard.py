"""TensorBoard's event files, a folder METHOD/seed<N> each run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.errors import HarnessError
from harness.core.files import explain_disk_errors, join_inside
from harness.results.exporters.base import Exporter, hash_run, iterate_runs, select_numbers, tabulate_epochs
from harness.results.frames import Results

if TYPE_CHECKING:
    import pandas as pd

MARK = "harness-run.txt"
"""Says which run a folder holds, and that it is whole."""


class TensorBoardExporter(Exporter):
    """TensorBoard's event files, a folder METHOD/seed<N> each run: `tensorboard --logdir`. Needs tensorboard."""

    name = "tensorboard"

    def write(self, results: Results, study: str, to: str | None) -> str:
        root = Path(to) if to else join_inside(Path("tensorboard"), study)
        for method, seed, run in iterate_runs(tabulate_epochs(results)):
            folder = join_inside(root, method.replace("/", "-").replace("\\", "-"), f"seed{seed}")
            mark = folder / MARK
            if mark.is_file() and mark.read_text() == hash_run(run):
                continue
            with explain_disk_errors(folder):
                ours = mark.is_file() or (folder / f"{MARK}.tmp").is_file()
                if folder.is_dir() and not ours and any(folder.iterdir()):
                    raise HarnessError(f"{folder} holds files of something else: choose another folder with --to")
                shutil.rmtree(folder, ignore_errors=True)  # an unfinished export, or an older run of this name
                folder.mkdir(parents=True)
                (folder / f"{MARK}.tmp").write_text(hash_run(run))
                write_events(run, folder)
                (folder / f"{MARK}.tmp").rename(mark)
        return str(root)


def write_events(run: pd.DataFrame, folder: Path) -> None:
    """Scalars and the architecture as text; the step is the epoch, the time the seconds of the search."""
    try:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.text.metadata import create_summary_metadata
        from tensorboard.summary.writer.event_file_writer import EventFileWriter
        from tensorboard.util.tensor_util import make_tensor_proto
    except ImportError:
        raise HarnessError("writing event files needs the package tensorboard: pip install tensorboard") from None
    writer = EventFileWriter(str(folder))
    about = create_summary_metadata(display_name="arch", description="the derived architecture")
    for row in run.to_dict("records"):
        named = {str(k): v for k, v in row.items()}
        values = [Summary.Value(tag=tag, simple_value=value) for tag, value in select_numbers(named).items()]
        text = make_tensor_proto(str(named["arch"]).encode())
        values.append(Summary.Value(tag="arch/text_summary", metadata=about, tensor=text))
        seconds = named["seconds"] if named["seconds"] == named["seconds"] else 0.0
        writer.add_event(Event(step=int(named["epoch"]), wall_time=seconds, summary=Summary(value=values)))
    writer.close()
