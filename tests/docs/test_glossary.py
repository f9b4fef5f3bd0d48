"""Every word that names a column or a class of the API is in the glossary."""

import re

import pytest

import harness
from harness.search import steps
from harness.spaces import base
from harness.tables.measure import Measure
from harness.tables.table import Table
from tests.conftest import ROOT

GLOSSARY = (ROOT / "docs" / "explanation" / "glossary.md").read_text()
WORDS = set(re.findall(r"`([\w.]+)`", GLOSSARY)) | set(re.findall(r"[a-z]+", GLOSSARY.lower()))
FAMILIES = tuple(re.findall(r"`(\w+_)\.\.\.`", GLOSSARY))
"""Beginnings of columns that one entry explains."""
ENDS = ("low", "high", "level", "lower", "higher", "smallest", "norm", "trace", "sd", "against", "difference", "at")
"""Ends of columns that belong to the column of the same name without it, or with another one."""


def strip_end(column: str) -> str:
    root, _, end = column.rpartition("_")
    return strip_end(root) if root and end in ENDS else column


def explained(column: str) -> bool:
    return column in WORDS or column.startswith(FAMILIES) or strip_end(column) in {strip_end(word) for word in WORDS}


@pytest.mark.parametrize("name", ["ten-seeds", "cifar10-8"])
def test_every_column_is_explained(name: str) -> None:
    runs = harness.load(ROOT / "results" / "published" / name)
    frames = [runs.epochs, runs.lookups, runs.timing, runs.errors(), runs.compare()]
    columns = {column for frame in frames for column in frame}
    assert [column for column in sorted(columns) if not explained(column)] == []


def test_every_class_of_the_api_is_explained() -> None:
    public = [name for name in harness.__all__ if isinstance(getattr(harness, name), type)]
    others = [base.Space, base.Architecture, base.Choices, steps.WeightStep, steps.ArchitectureStep, Table, Measure]
    names = [name for name in public if not name.endswith("Error")] + [cls.__name__ for cls in others]
    assert [name for name in names if f"`{name}`" not in GLOSSARY] == []
