"""SmoothDARTS' code on DARTS' spaces: every recorded quantity to 1e-9 in float64, by both networks."""

from pathlib import Path
from typing import Any

import pytest

from harness.search.build import build_search
from harness.testing.conformance import QuantityCheck, conform, searches

RECORDS = {
    "s1": ("darts1", "sdarts_rs"),
    "s2": ("darts2", "sdarts_adv"),
    "s3": ("sdarts_adv",),
    "s4": ("forward",),
    "s5": ("darts1", "darts2", "sdarts_rs", "sdarts_adv", "pcdarts", "pcdarts_sdarts_adv"),
}
NAMES = [f"darts_{space}_{method}" for space, methods in RECORDS.items() for method in methods]
SLOW = ("darts_s5_darts1", "darts_s5_darts2", "darts_s5_sdarts_adv", "darts_s5_pcdarts_sdarts_adv")


@pytest.mark.parametrize("name", NAMES)
def test_record(records: Path, name: str) -> None:
    checks = list(conform([records / f"{name}.npz"]))
    assert {c.quantity for c in checks} >= {"forward logits", "forward alpha gradient", "derived architecture"}
    assert "forward" in name or {c.quantity for c in checks} >= {"training losses", "final weights"}
    assert [c for c in checks if not c.conforms] == []


@pytest.mark.parametrize("name", [n for n in NAMES if n not in SLOW])
def test_record_by_the_readable_network(records: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def readable(*args: Any, **options: Any) -> Any:
        return build_search(*args, implementation="readable", **options)

    monkeypatch.setattr(searches, "build_search", readable)
    assert [c for c in conform([records / f"{name}.npz"]) if not c.conforms] == []


def test_decodings(records: Path) -> None:
    (check,) = conform([records / "darts_derivation.json"])
    assert check == QuantityCheck("darts_derivation", "architectures of 200 cases", 0.0)
