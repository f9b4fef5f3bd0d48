"""How records of the part `operation-stopping` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.search.regularizers.operation_stopping import OperationStopping
from harness.testing.conformance.recorded import Arrays, Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    return {"operation-stopping": {"threshold": meta["threshold"], "window": meta["window"]}}


def read_recorded_decisions(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    """What is recorded of the operations that are followed, in the order of the record."""
    if f"{prefix}/frozen" not in arrays:
        return {}
    net, (own,) = search.net, (r for r in search.regularizers if isinstance(r, OperationStopping))
    names = {id(w): net.published_name(name) for name, w in net.named_parameters()}
    # a group's weights share what stands in front of the module's own names
    operations = [names[id(group[0])].split(".op.")[0] for group in net.candidates()]
    places = [operations.index(str(name)) for name in arrays["tracked"]]
    memory = search.memory[own.name]
    return {
        "agreement so far": (np.asarray(memory["totals"])[places], arrays[f"{prefix}/accumulated"]),
        "number of comparisons": (np.asarray(memory["counts"])[places], arrays[f"{prefix}/count"]),
        "frozen operations": (np.asarray(memory["frozen"])[places], arrays[f"{prefix}/frozen"]),
    }


RECORDS: Mapping[str, Recorded] = {"oles": Recorded("oles", read_recorded_fields, quantities=read_recorded_decisions)}
"""By the name of the method in its records."""
