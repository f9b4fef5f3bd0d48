"""How records of the part `random-smoothing` are replayed."""

from __future__ import annotations

from collections.abc import Mapping

from harness.testing.conformance.recorded import Meta, Recorded


def read_recorded_radius(meta: Meta) -> dict[str, float]:
    """The fields of a radius that a record says: one that stays, or one that grows."""
    if "eps" in meta:
        return {"epsilon": meta["eps"], "epsilon_start": meta["eps"]}
    return {"epsilon": meta["epsilon_max"], "epsilon_start": meta["epsilon_start"]}


RECORDS: Mapping[str, Recorded] = {
    "sdarts_rs": Recorded("sdarts-rs", lambda meta: {"random-smoothing": read_recorded_radius(meta)})
}
"""By the name of the method in its records."""
