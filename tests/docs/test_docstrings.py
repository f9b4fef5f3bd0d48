"""Docstrings of what is public: they say what is given, returned and raised, and their examples run."""

import ast
import doctest
import inspect
import shutil
import textwrap
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import harness
from harness.runs.study import StudyFile
from tests.conftest import ROOT
from tests.test_names import REGISTRIES
from tools.reference.parts import describe_fields

PUBLIC = [name for name in harness.__all__ if name != "__version__"]


def find_raises(function: Any) -> bool:
    """Whether a function raises, itself or by what it calls here."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    return any(isinstance(node, ast.Raise | ast.Call) for node in ast.walk(tree))


@pytest.mark.parametrize("name", [name for name in PUBLIC if not isinstance(getattr(harness, name), type)])
def test_functions_say_what_they_take_give_and_raise(name: str) -> None:
    function = getattr(harness, name)
    text = inspect.getdoc(function) or ""
    signature = inspect.signature(function)
    for parameter in signature.parameters:
        assert f"\n    {parameter}: " in text.partition("Args:")[2], parameter
    assert "\nReturns:\n" in text
    assert not find_raises(function) or "\nRaises:\n" in text


@pytest.mark.parametrize("name", PUBLIC)
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a folder where the published results lie as in the repository."""
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "published").symlink_to(ROOT / "results" / "published")
    monkeypatch.chdir(tmp_path)
    examples = doctest.DocTestParser().get_doctest(inspect.getdoc(getattr(harness, name)) or "", {}, name, None, 0)
    assert examples.examples, f"harness.{name} has no example"
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(examples, out=said.append)
    assert runner.failures == 0, "".join(said)
    shutil.rmtree(tmp_path / "copy", ignore_errors=True)


PARTS = [cls for registry in REGISTRIES for cls in registry.classes.values() if issubclass(cls, BaseModel)]
SECTIONS = [f.annotation for f in StudyFile.model_fields.values() if inspect.isclass(f.annotation)]


@pytest.mark.parametrize("cls", [*PARTS, StudyFile, *SECTIONS], ids=lambda cls: cls.__name__)
def test_every_field_is_described(cls: type[Any]) -> None:
    assert inspect.getdoc(cls)
    if issubclass(cls, BaseModel):
        assert cls.model_fields.keys() - describe_fields(cls).keys() == set()
