"""A study: which space, data, table, methods and seeds; read from TOML, validated, expanded into runs."""

from __future__ import annotations

import copy
import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.core.errors import HarnessError
from harness.core.registry import explain
from harness.core.seeds import parse_seeds
from harness.datasets.base import DATASETS, Dataset
from harness.runs.appearance import Appearance
from harness.runs.preregistration import Declared
from harness.search.methods import Method, method
from harness.search.probes.base import PROBES, Probe
from harness.search.searchers.base import SupernetSearcher
from harness.search.training import Training
from harness.spaces.base import SPACES, PresetName, Space
from harness.spaces.blocks.build import Implementation
from harness.tables.catalog import open_table
from harness.tables.table import Table

NO_TABLE = "none"
RECORD_FORMAT = 2
"""Part of every run's identity: raised when the same configuration would give other rows."""


class SupernetSize(BaseModel):
    """Width and depth of the one-shot network; without `cells`, as deep as the space's paper has it. implementation:
    `readable` computes one module an operation, the same function in another order of sums."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    channels: int = Field(16, ge=1)
    cells: int | None = Field(None, ge=1)
    implementation: Implementation = "fast"


class Evaluation(BaseModel):
    """How the one-shot network is evaluated on the search-validation half: on how many images, the first ones (all of
    them, if not said), and after every how many epochs (and the last). Epochs without an evaluation have no supernet
    accuracy."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    images: int | None = Field(None, ge=1)
    every: int = Field(1, ge=1)


class StudyFile(BaseModel):
    """What a study file may say. `methods` is a list of names, or a table of label = {part = {field = value}}."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    space: str
    dataset: str | dict[str, Any]
    table: str = NO_TABLE
    methods: list[str] | dict[str, dict[str, Any]]
    seeds: list[int] = Field(min_length=1)
    epochs: int = Field(ge=1)
    preset: PresetName = "fixed"
    supernet: SupernetSize = SupernetSize()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    probes: list[str] | dict[str, dict[str, Any]] = {}
    comparison: Declared = Declared()
    figures: Appearance = Appearance()

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, value: Any) -> Any:
        return parse_seeds(value) if isinstance(value, str) else value

    @field_validator("methods")
    @classmethod
    def _methods(cls, value: Any) -> Any:
        if not value:
            raise ValueError("a study needs at least one method")
        return value


@dataclass(frozen=True)
class Run:
    """One search: everything that its rows depend on."""

    method_name: str
    method: Method
    seed: int
    space: Space
    dataset: Dataset
    table: Table | None
    epochs: int
    preset: PresetName
    supernet: SupernetSize
    training: Training
    evaluation: Evaluation = field(default_factory=Evaluation)
    probes: tuple[Probe, ...] = ()

    def describe(self) -> dict[str, Any]:
        """The resolved configuration: plain values, every default written out."""
        return {
            "format": RECORD_FORMAT,
            "space": self.space.name,
            "dataset": {"name": self.dataset.name} | self.dataset.describe(),
            "table": None if self.table is None else {"name": self.table.name, "fingerprint": self.table.fingerprint},
            "method": self.method.describe(),
            "seed": self.seed,
            "epochs": self.epochs,
            "preset": self.preset,
            "supernet": self.supernet.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
            "evaluation": self.evaluation.model_dump(mode="json"),
            "probes": {p.name: p.model_dump(mode="json") for p in self.probes},
        }

    @cached_property
    def id(self) -> str:
        """Hash of the resolved configuration: equal configurations are one run, whatever their study is called."""
        return id_of(self.describe())

    @property
    def folder_name(self) -> str:
        label = re.sub(r"[^A-Za-z0-9.]+", "-", self.method_name)
        return f"{label}_seed{self.seed}_{self.id}"


def id_of(configuration: dict[str, Any]) -> str:
    """The id of the run with this resolved configuration."""
    return hashlib.sha256(json.dumps(configuration, sort_keys=True).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Study:
    """A validated study with its runs, seeds outermost (so that an interrupted study has complete seeds first)."""

    file: StudyFile
    runs: tuple[Run, ...]
    table: Table | None
    source: Path

    @property
    def name(self) -> str:
        return self.file.name


EXAMPLES = {"--set": "training.batch_size=32", "--set-executor": "partition=main"}


def apply_settings(raw: dict[str, Any], settings: list[str], option: str = "--set") -> None:
    """Change the raw study by settings written a.b=value; the value is TOML, or a bare string. option: what gave them,
    for the errors."""
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path.strip():
            raise HarnessError(f"{option} {setting!r} cannot be read: write {option} {EXAMPLES[option]}")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            value = text
        *parents, key = path.strip().split(".")
        node = raw
        for parent in parents:
            # the short forms of a study stand for tables
            if parent == "methods" and isinstance(node.get(parent), list):
                node[parent] = {name: {} for name in node[parent]}
            if parent == "dataset" and isinstance(node.get(parent), str):
                node[parent] = {"name": node[parent]}
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise HarnessError(f"{option} {setting!r} goes below {parent!r}, which is a single value")
        node[key] = value


def load_study(source: Path | Mapping[str, Any], settings: Sequence[str] = (), seeds: str | None = None) -> Study:
    """Read, change (`--set`, `--seeds`), validate and expand a study file, or what such a file would hold."""
    if isinstance(source, Mapping):
        raw, path = copy.deepcopy(dict(source)), Path(f"{source.get('name', 'study')}.toml")
    else:
        raw, path = read_toml(source), source
    apply_settings(raw, list(settings))
    if seeds is not None:
        raw["seeds"] = seeds
    try:
        file = StudyFile.model_validate(raw)
    except ValidationError as error:
        raise HarnessError(explain(error, f"study {path}", known_keys(error))) from None
    return expand(file, path)


def read_toml(path: Path) -> dict[str, Any]:
    """The content of a study file."""
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise HarnessError(f"no study file at {path}: check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise HarnessError(f"{path} cannot be read as a study ({error})") from None
    except tomllib.TOMLDecodeError as error:
        raise HarnessError(f"{path} is not valid TOML: {error}") from None


def known_keys(error: ValidationError) -> list[str]:
    """The keys that are known where the first unknown one stands."""
    level: Any = StudyFile
    unknown = [e["loc"] for e in error.errors() if e["type"] == "extra_forbidden"]
    for part in unknown[0][:-1] if unknown else ():
        field = level.model_fields.get(part) if isinstance(part, str) else None
        annotation = field.annotation if field else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        level = annotation
    return list(level.model_fields)


def expand(file: StudyFile, source: Path) -> Study:
    """Resolve every name of a study into the runs it stands for."""
    space: Space = SPACES.find(file.space)()
    fields = {"name": file.dataset} if isinstance(file.dataset, str) else dict(file.dataset)
    if "name" not in fields:
        raise HarnessError(f'study {source}: the dataset needs a name, such as dataset = {{name = "npz", path = ...}}')
    dataset: Dataset = DATASETS.build(fields.pop("name"), fields)
    table = None if file.table == NO_TABLE else open_table(file.table)
    if table is not None and table.info["space"] != space.name:
        raise HarnessError(f"table {table.name!r} is of the space {table.info['space']!r}, not {space.name!r}")
    asked = file.probes if isinstance(file.probes, dict) else {name: {} for name in file.probes}
    probes = tuple(PROBES.build(name, fields) for name, fields in asked.items())
    overrides = file.methods if isinstance(file.methods, dict) else {name: {} for name in file.methods}
    if len(overrides) < len(file.methods):
        raise HarnessError(f"study {source} lists a method twice: give each one a label of its own")
    supernet = file.supernet.model_copy(update={"cells": file.supernet.cells or space.default_cells})
    runs = []
    for seed in file.seeds:
        for label, changes in overrides.items():
            parts = {part: fields for part, fields in changes.items() if part != "method"}
            chosen = method(str(changes.get("method", label)), file.preset).override(parts)
            if table is None and not isinstance(chosen.searcher, SupernetSearcher):
                raise HarnessError(f"method {label!r} searches the table itself, and study {source} names none")
            runs.append(
                Run(
                    method_name=label,
                    method=chosen,
                    seed=seed,
                    space=space,
                    dataset=dataset,
                    table=table,
                    epochs=file.epochs,
                    preset=file.preset,
                    supernet=supernet,
                    training=file.training,
                    evaluation=file.evaluation,
                    probes=probes,
                )
            )
    return Study(file, tuple(runs), table, source)
