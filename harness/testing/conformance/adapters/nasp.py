"""How records of the part `nasp` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.testing.conformance.recorded import Arrays, Meta, Recorded, read_numbered


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    """Records of NASP's own code have the term for size, SmoothDARTS' do not."""
    return {"nasp": {"softened": False, "clip": "architecture", "l2": meta["l2"]}} if "l2" in meta else {}


def read_recorded_points(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    """The one-hot points of the weight step."""
    told = read_numbered(arrays, f"{prefix}/weight/binarized")
    return {} if search.searcher.softened or not told else {"one-hot points": (search.last_mix, told)}


RECORDS: Mapping[str, Recorded] = {
    "nasp": Recorded("nasp-1shot1", read_recorded_fields, quantities=read_recorded_points)
}
"""By the name of the method in its records."""
