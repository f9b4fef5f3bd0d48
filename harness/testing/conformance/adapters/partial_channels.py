"""How records of the part `partial-channels` are replayed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.testing.conformance.recorded import Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    return {"partial-channels": {"k": meta["partial_channels"]}}


RECORDS: Mapping[str, Recorded] = {
    "pcdarts": Recorded("pc-darts", read_recorded_fields),
}
"""By the name of the method in its records."""
