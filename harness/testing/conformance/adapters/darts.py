"""How records of the part `darts` are replayed."""

from __future__ import annotations

from collections.abc import Mapping

from harness.testing.conformance.recorded import Recorded, read_numbered

RECORDS: Mapping[str, Recorded] = {
    "darts1": Recorded("darts"),
    "darts2": Recorded("darts-2nd"),
    "hessian": Recorded("darts"),
    # of a space whose operations draw noise of their own
    "forward": Recorded("darts", draws=lambda arrays, prefix: {"noise": read_numbered(arrays, f"{prefix}/noise")}),
}
"""By the name of the method in its records."""
