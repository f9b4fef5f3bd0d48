"""An importer: text files <method>_<seed>.triangles with one architecture a line, from epoch 0 on."""

from pathlib import Path

from harness.core.errors import HarnessError
from harness.results.importers.base import Epoch, Importer, Log
from harness.spaces.base import Space


class Triangles(Importer):
    """Text files <method>_<seed>.triangles, an architecture a line."""

    name = "triangles"
    tool = "an example"

    def recognizes(self, source: Path) -> bool:
        return source.suffix == ".triangles" or (source.is_dir() and any(source.glob("*.triangles")))

    def read(self, source: Path, space: Space) -> Log:
        files = sorted(source.glob("*.triangles")) if source.is_dir() else [source]
        epochs = []
        for path in files:
            method, _, seed = path.stem.rpartition("_")
            if not seed.isdigit():
                raise HarnessError(f"{path} is not named <method>_<seed>.triangles: its seed is unknown")
            for number, line in enumerate(path.read_text().splitlines()):
                epochs.append(Epoch(f"{path}, line {number + 1}", method, int(seed), number, line))
        return Log(epochs, files)
