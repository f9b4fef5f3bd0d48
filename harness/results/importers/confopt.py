"""confopt's (automl/ConfigurableOptimizer) supernet runs: folders with genotypes/genotype_<epoch>.txt and a log."""

from __future__ import annotations

import re
from pathlib import Path

from harness.core.errors import HarnessError
from harness.core.files import resolve_path
from harness.core.text import is_whole
from harness.results.importers.base import NAN, Epoch, Importer, Log
from harness.results.importers.pieces import join_pieces
from harness.spaces.base import Space

GENOTYPE = re.compile(r"genotype_(\d+)\.txt")
METRICS = re.compile(
    r"^\[(\d+)-\d+\] (Search: Model metrics|Evaluation:)\s*: loss=([\d.naif]+), accuracy@1=([\d.naif]+)%"
    r"(?:.*time-cost=([\d.]+) s)?"
)


class ConfOpt(Importer):
    """confopt's (automl/ConfigurableOptimizer) supernet runs: folders with genotypes/genotype_<epoch>.txt and a log.

    A run that was restarted has a folder for each piece, which are joined where they agree. They lie under
    LOGS/<experiment>/<space>/<dataset>/<seed>/supernet/<time>/; the method is the experiment. Genotypes are written
    after each epoch. Where their numbers begin at 0 (older versions), that is epoch 1 here. The log rounds losses and
    accuracies to two digits; there are no logits in it that could be read back.
    """

    name = "confopt"
    tool = "confopt"

    def recognizes(self, source: Path) -> bool:
        return source.is_dir() and bool(find_runs(source))

    def read(self, source: Path, space: Space) -> Log:
        runs = find_runs(source)
        if not runs:
            raise HarnessError(f"{source} holds no confopt run: they are folders with genotypes/genotype_<epoch>.txt")
        pieces: list[list[Epoch]] = []
        shifted = False
        for run in runs:
            method, seed = parse_owner(run)
            files = {int(m[1]): p for p in (run / "genotypes").iterdir() if (m := GENOTYPE.fullmatch(p.name))}
            shift = 1 if 0 in files else 0
            shifted |= bool(shift)
            metrics = read_metrics(run / "log")
            pieces.append([])
            for number, path in sorted(files.items()):
                train, valid, seconds = metrics.get(number, ((NAN, NAN), (NAN, NAN), NAN))
                pieces[-1].append(
                    Epoch(
                        str(path),
                        method,
                        seed,
                        number + shift,
                        path.read_text(encoding="utf-8", errors="replace").strip(),
                        seconds=seconds,
                        train_loss=train[0],
                        valid_loss=valid[0],
                        accuracy=valid[1],
                        percent=True,
                    )
                )
        epochs, told = join_pieces(pieces, space)
        note = "numbers of genotypes that begin at 0 are of states after an epoch: they are epochs 1, 2, .. here"
        return Log(epochs, [run / "genotypes" for run in runs], [*([note] if shifted else []), *told])


def find_runs(source: Path) -> list[Path]:
    return sorted({p.parent.parent for p in source.rglob("genotypes/genotype_*.txt") if GENOTYPE.fullmatch(p.name)})


def parse_owner(run: Path) -> tuple[str, int]:
    """Experiment and seed from the folders .../<experiment>/<space>/<dataset>/<seed>/supernet/<time>."""
    parts = resolve_path(run).parts
    kinds = [i for i, part in enumerate(parts) if part in ("supernet", "arch_selection")]
    if not kinds or kinds[-1] < 4 or not is_whole(parts[kinds[-1] - 1]):
        raise HarnessError(
            f"{run} does not lie at <experiment>/<space>/<dataset>/<seed>/supernet/<time>: no seed is known"
        )
    place = kinds[-1]
    return parts[place - 4], int(parts[place - 1])


def read_metrics(log: Path) -> dict[int, tuple[tuple[float, float], tuple[float, float], float]]:
    """(loss, accuracy in %) in training and in validation, and seconds since the beginning, by epoch."""
    found: dict[int, tuple[tuple[float, float], tuple[float, float], float]] = {}
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else ():
        if m := METRICS.match(line):
            train, valid, seconds = found.get(int(m[1]), ((NAN, NAN), (NAN, NAN), NAN))
            values = float(m[3]), float(m[4])
            if m[2] == "Evaluation:":
                valid = values
            else:
                train, seconds = values, float(m[5]) if m[5] else NAN
            found[int(m[1])] = train, valid, seconds
    return found
