"""How records of the part `idarts` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.testing.conformance.recorded import Arrays, Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    return {"idarts": {"terms": meta["K"]}}


def read_recorded_gradient(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    key = f"{prefix}/hypergradient"
    return {"hypergradients": (search.alphas[0].grad, arrays[key])} if key in arrays else {}


RECORDS: Mapping[str, Recorded] = {
    "idarts": Recorded("idarts", read_recorded_fields, quantities=read_recorded_gradient)
}
"""By the name of the method in its records."""
