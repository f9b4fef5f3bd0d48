"""Memory and time of converting a .pth in the official layout.

    python benchmarks/speed/convert_pth.py ARCHIVE FOLDER [--architectures 2000] [--legacy]

ARCHIVE is a NATS-tss archive folder with at least one architecture. Its entries, under other indices, go through the
official package's classes and torch.save into FOLDER/made.pth; a process of its own converts that, and reports its
peak memory, its time, and both for 15,625 architectures, in proportion.
"""

import argparse
import bz2
import pickle
import subprocess
import sys
import time
from pathlib import Path

from harness.spaces.nasbench201.cell import list_official_cells, to_string

TOTAL = 15_625


def make(archive: Path, path: Path, count: int, legacy: bool) -> None:
    import torch
    from nas_201_api.api_utils import ArchResults

    real = [bz2.decompress(p.read_bytes()) for p in sorted(archive.glob("[0-9]*.pickle.pbz2"))]
    names = [to_string(c) for c in list_official_cells()]
    infos = {}
    for index in range(count):
        entry = pickle.loads(real[index % len(real)])
        infos[index] = {}
        for ours, theirs in (("12", "less"), ("200", "full")):
            state = entry[ours] | {"arch_index": index, "arch_str": names[index]}
            infos[index][theirs] = ArchResults.create_from_state_dict(state).state_dict()
    whole = {"meta_archs": names, "arch2infos": infos, "evaluated_indexes": set(infos), "total_archs": TOTAL}
    torch.save(whole, path, _use_new_zipfile_serialization=not legacy)


def convert(path: Path) -> None:
    from harness.tables.formats.nasbench201 import convert_nasbench201

    def peak() -> float:  # not getrusage: its maximum is inherited from the process that made the file
        status = Path("/proc/self/status").read_text()
        return float(status.split("VmHWM:")[1].split()[0]) / 1e3

    before, began = peak(), time.perf_counter()
    settings = {"about": {"title": path.name}, "jobs": 1, "say": lambda line: print(f"{line}, peak {peak():.0f} MB")}
    table = convert_nasbench201(path, path.with_name("table"), work=path.with_name("work"), **settings)  # type: ignore[arg-type]
    seconds, scale = time.perf_counter() - began, TOTAL / len(table)
    print(f"{len(table)} architectures, {path.stat().st_size / 1e9:.2f} GB: {seconds:.0f} s, peak {peak():.0f} MB")
    print(f"in proportion, {TOTAL}: {seconds * scale / 60:.0f} min, {before + (peak() - before) * scale:.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--architectures", type=int, default=2_000)
    parser.add_argument("--legacy", action="store_true", help="torch's old file format, that of v1.0")
    parser.add_argument("--convert-only", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    made = options.folder / "made.pth"
    if options.convert_only:
        convert(made)
    else:
        options.folder.mkdir(parents=True, exist_ok=True)
        make(options.archive, made, options.architectures, options.legacy)
        again = [str(options.archive), str(options.folder), "--convert-only"]
        subprocess.run([sys.executable, __file__, *again], check=True)
