"""Replay of conformance records: inputs and outputs of published code, computed again by the library's own.

A family of records is one file here; which method a record is of, and how its settings follow, is said by the classes
that make the method (`harness.search.naming.Recorded`), sizes and decodings by the space.
"""

from harness.testing.conformance.records import TOLERANCE, QuantityCheck, Record, Skipped, compute_relative_error
from harness.testing.conformance.replay import conform, replay_files

__all__ = ["TOLERANCE", "QuantityCheck", "Record", "Skipped", "compute_relative_error", "conform", "replay_files"]
