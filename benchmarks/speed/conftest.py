"""Tables at full size, from the three real architectures of the official archive, and the official APIs beside them."""

import bz2
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.spaces.nasbench201.cell import list_official_cells, to_string
from harness.tables.formats.nats import ROLES, TEST, VALIDATION, read_entry
from harness.tables.table import Table
from harness.tables.write import write_table

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="session")
def archive() -> Path:
    data = Path(os.environ.get("HARNESS_TEST_DATA", ROOT.parent / "shared" / "data"))
    found = data / "nats_official" / "NATS-tss-v1_0-3ffb9-simple"
    if not found.is_dir():
        pytest.skip(f"no official archive at {found}: set HARNESS_TEST_DATA")
    return found


@pytest.fixture(scope="session")
def contents(archive: Path) -> dict[int, Any]:
    paths = sorted(archive.glob("0*.pbz2"))
    return {int(p.name.split(".")[0]): pickle.loads(bz2.decompress(p.read_bytes())) for p in paths}


@pytest.fixture(scope="session")
def table(contents: dict[int, Any], tmp_path_factory: pytest.TempPathFactory) -> Table:
    """15,625 rows and 55 columns of accuracy, loss and seconds: the three architectures again and again."""
    finals = [read_entry(c)[1] for c in contents.values()]
    rows = np.arange(15_625) % len(finals)
    parts: dict[str, dict[Any, Any]] = {"accuracy": {}, "loss": {}, "seconds": {}}
    for quantity, column in finals[0]:
        parts[quantity][column] = np.array([f[quantity, column] for f in finals])[rows]
    return write_table(
        tmp_path_factory.mktemp("tables") / "nats",
        space="nasbench201",
        keys=[to_string(c) for c in list_official_cells()],
        accuracy=parts.pop("accuracy"),
        more=parts,
        roles=ROLES,
        validation=VALIDATION,
        test=TEST,
        about={},
    )


@pytest.fixture(scope="session")
def nats_api(archive: Path, contents: dict[int, Any]) -> Any:
    import nats_bench

    api = nats_bench.create(str(archive), "tss", fast_mode=True, verbose=False)
    for index in contents:
        api.get_more_info(index, "cifar10", hp="200", is_random=False)  # loads the architecture
    return api


@pytest.fixture(scope="session")
def nas201_api(contents: dict[int, Any]) -> Any:
    from nas_201_api import NASBench201API

    infos = {i: {"less": c["12"], "full": c["200"]} for i, c in contents.items()}
    names = [to_string(c) for c in list_official_cells()]
    return NASBench201API({"meta_archs": names, "arch2infos": infos, "evaluated_indexes": list(infos)}, verbose=False)
