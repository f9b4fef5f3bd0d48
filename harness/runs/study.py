"""A study: which space, data, table, methods and seeds; read from TOML, validated, expanded into runs."""

from __future__ import annotations

import copy
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from harness.core.errors import HarnessError, InvalidStudyError, MissingDataError
from harness.core.files import DEFAULT_OUT, hash_bytes, hash_values, serialize_values
from harness.core.notation import read_toml
from harness.core.registry import explain
from harness.core.seeds import check_seeds, parse_seeds
from harness.core.settings import Settings
from harness.core.streams import Streams
from harness.core.text import LONGEST_LABEL, brief, is_label
from harness.datasets.base import DATASETS, Dataset
from harness.runs.apart import collect_settings, find_differences
from harness.runs.appearance import Appearance
from harness.runs.changes import apply_settings
from harness.runs.code import digest_foreign_code
from harness.runs.manifest import DamagedError
from harness.runs.preregistration import Declared, rename_older_key
from harness.runs.randomness import Design, Point, Randomness
from harness.runs.retraining.table import RetrainingRequest, open_study_table
from harness.runs.store import RUNNING
from harness.runs.trained import Common, RecipeName, SupernetSize
from harness.search.methods import Method
from harness.search.probes.base import PROBES, Probe
from harness.search.searchers.base import SupernetSearcher
from harness.search.training import Training
from harness.spaces.base import SIDE_BY_SIDE, SPACES, PresetName, Space
from harness.tables.catalog import NO_TABLE
from harness.tables.table import Table

LAST = "last"
FOREIGN = (".csv", ".gz", ".json", ".txt", ".log")
"""Endings of files that an importer may read; a study's is .toml."""
RECORD_FORMAT = 2
"""Part of every run's identity: raised when the same configuration would give other rows."""
TOGETHER_FORMAT = 2
"""The same of runs that are computed side by side alone. 2: their evaluations are, too."""


class EvaluationSettings(Settings):
    """How the one-shot network is evaluated on the search-validation half: on how many images, the first ones (all of
    them, if not said), and after every how many epochs (and the last). Epochs without an evaluation have no supernet
    accuracy."""

    images: int | None = Field(None, ge=1)
    """The first so many images of the search-validation half; all of them, if not said."""
    every: int = Field(1, ge=1)
    """Evaluate after every so many epochs, and after the last."""


class StudyFile(BaseModel):
    """What a study file may say. `methods` is a list of names, or a table of label = {part = {field = value}}; a label
    may have sections `training` and `supernet` of its own, which win over the study's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$", max_length=LONGEST_LABEL)
    """Of the folder of runs, and of all that is made of them."""
    space: str
    """The search space, as `harness list spaces` has it."""
    dataset: str | dict[str, Any]
    """The data set of the search, by name, or a table with its `name` and fields."""
    table: str = NO_TABLE
    """A table's name, or NAME@FINGERPRINT of an earlier version of it; "none"; or "trained": what is derived is
    trained, as `retraining` says, and looked up."""
    judge: int | Literal["last"] = 1
    """The table is asked after every so many epochs and the last, or after the "last" alone."""
    retraining: RetrainingRequest = RetrainingRequest()
    """How derived architectures are trained where the table is "trained"."""
    methods: list[str] | dict[str, dict[str, Any]]
    """Names, or a table of label = {part = {field = value}}; a label may have `training` and `supernet` of its own."""
    seeds: list[int] = Field(min_length=1)
    """Every method runs with each of them."""
    together: int | None = Field(None, ge=2, le=1000)
    """How many runs are trained side by side, at most, where method and space can: a method's seeds, and those of
    methods with the same network and the same passes a step; one by one, if not said."""
    randomness: Randomness = Randomness()
    """Which kinds of random streams follow the seed, as all do if not said, are held, or vary by themselves."""
    epochs: int | None = Field(None, ge=1, le=1_000_000)
    """Where they are said they hold for every method; `published` may leave them to the recipes."""
    recipe: RecipeName = "shared"
    """All methods are trained by the study's settings (`shared`), or each as its paper's code trains, where that is
    known (`published`): its recipe then wins over [training] and [supernet]."""
    preset: PresetName = "fixed"
    """Which arithmetic: `fixed`, or `official` with the published codes' own."""
    supernet: SupernetSize = SupernetSize()
    """Size of the one-shot network."""
    training: Training = Training()
    """How it is trained."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How it is evaluated."""
    probes: list[str] | dict[str, dict[str, Any]] = {}
    """What is measured beside the search: names, or a table of name = {field = value}."""
    comparison: Declared = Declared()
    """What is said beforehand about comparing the methods."""
    figures: Appearance = Appearance()
    """How figures look."""

    @field_validator("name")
    @classmethod
    def _name(cls, value: str) -> str:
        if value.endswith(RUNNING):
            raise ValueError(f"a name that ends in {RUNNING} is that of an unfinished run's folder")
        return value

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds(cls, value: Any) -> Any:
        return parse_seeds(value) if isinstance(value, str) else check_seeds(value)

    @field_validator("judge", mode="before")
    @classmethod
    def _judge(cls, value: Any) -> Any:
        if value != LAST and (type(value) is not int or value < 1):
            raise ValueError(f'the table is asked after every so many epochs: write 1, 5, or "{LAST}"')
        return value

    @field_validator("methods")
    @classmethod
    def _methods(cls, value: Any) -> Any:
        if not value:
            raise ValueError("a study needs at least one method")
        for label in value:
            if not is_label(label):
                raise ValueError(f"a method's name or label is one line of 1 to {LONGEST_LABEL} characters")
        return value


@dataclass(frozen=True)
class Run:
    """One search: everything that its rows depend on. recipe: where published settings are from; no part of it. point:
    where it stands in a design in which kinds of streams have seeds of their own; None where all follow the seed.
    together: how many may be trained side by side, where the study asks for it."""

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
    evaluation: EvaluationSettings = field(default_factory=EvaluationSettings)
    probes: tuple[Probe, ...] = ()
    recipe: str = ""
    judge: int | Literal["last"] = 1
    point: Point | None = None
    together: int | None = None
    first: Run | None = field(default=None, init=False, repr=False, compare=False)
    """The one that this is `of_seed` of."""

    def of_seed(self, seed: int) -> Run:
        """The same search with another seed. What their identities have in common is computed once for all seeds."""
        other = replace(self, seed=seed)
        object.__setattr__(other, "first", self)
        return other

    def at(self, point: Point) -> Run:
        """The same search at a point of a design."""
        fields = {} if point.implementation is None else {"implementation": point.implementation}
        return replace(self, seed=point.seed, point=point, supernet=self.supernet.model_copy(update=fields))

    @property
    def number(self) -> int:
        """What its rows call their seed: the seed, or the number of its point where a design has several of a seed."""
        return self.seed if self.point is None else self.point.number

    @property
    def threads(self) -> int:
        """Threads that compute it."""
        return 1 if self.point is None else self.point.threads

    @property
    def stacked(self) -> bool:
        """Whether its network is computed beside those of other runs, or as if it were, in another order of sums."""
        can = self.method.stacks and SIDE_BY_SIDE in self.space.has and self.supernet.implementation == "fast"
        plain = self.training.precision == "fp32" and self.training.weight_steps == 1 and self.threads == 1
        return self.together is not None and can and plain

    def streams(self) -> Streams:
        """Its random streams, at their beginning."""
        return Streams(self.seed, self.point.own if self.point else None)

    def judged(self, epoch: int) -> bool:
        """Whether the table is asked for what is derived after an epoch; it always is after the last."""
        return epoch == self.epochs or (self.judge != LAST and epoch % int(self.judge) == 0)

    def describe(self) -> dict[str, Any]:
        """The resolved configuration: plain values, every default written out; and which code parts of other packages
        are of, since nobody raises a number of ours where it changes."""
        told = {
            "format": RECORD_FORMAT,
            "space": self.space.name,
            "dataset": {"name": self.dataset.name} | self.dataset.describe(),
            "table": None if self.table is None else self.table.describe(),
            "method": self.method.describe(),
            "seed": self.seed,
            "epochs": self.epochs,
            "preset": self.preset,
            "supernet": self.supernet.model_dump(mode="json"),
            "training": self.training.model_dump(mode="json"),
            "evaluation": self.evaluation.model_dump(mode="json"),
            "probes": {p.name: p.identity() for p in self.probes},
            # only where it is said, so that runs from before it could be said keep their ids
            **({} if self.judge == 1 else {"judge": self.judge}),
            **({"together": TOGETHER_FORMAT} if self.stacked else {}),
            **({"randomness": told} if (told := self.point.describe() if self.point else {}) else {}),
        }
        foreign = digest_foreign_code(told)
        return told | ({"code": foreign} if foreign else {})

    @cached_property
    def around_seed(self) -> tuple[str, str]:
        """What `hash_values` makes of the configuration, before and after the seed."""
        told = self.describe()
        before = serialize_values({key: value for key, value in told.items() if key < "seed"})
        after = serialize_values({key: value for key, value in told.items() if key > "seed"})
        return before.removesuffix("}"), after.removeprefix("{")

    @cached_property
    def id(self) -> str:
        """Hash of the resolved configuration: equal configurations are one run, whatever their study is called."""
        before, after = (self.first or self).around_seed
        return hash_bytes(f'{before}, "seed": {self.seed}, {after}'.encode())[:12]

    @property
    def folder_name(self) -> str:
        return f"{self.folder_label}_seed{self.seed}_{self.id}"

    @property
    def folder_label(self) -> str:
        """How the method's name stands in a folder's."""
        label = re.sub(r"[^A-Za-z0-9.]+", "-", self.method_name)
        return f"-{label}" if label.startswith(".") else label  # readers take a folder with a dot for no run


def compute_run_id(configuration: dict[str, Any]) -> str:
    """The id of the run with this resolved configuration."""
    return hash_values(configuration)[:12]


@dataclass(frozen=True)
class Study:
    """A validated study with its runs, seeds (or points of its design) outermost, so that an interrupted study has
    complete seeds first."""

    file: StudyFile
    runs: tuple[Run, ...]
    table: Table | None
    source: Path
    changes: tuple[str, ...] | None = None
    """The options of the command line by which it differs from its file; None where it is of no file."""

    @property
    def name(self) -> str:
        return self.file.name

    def command(self, verb: str, out: Path) -> str:
        """What a person types to do something to just this study, with its runs there."""
        if self.changes is None:
            return f"harness.{verb} with the same arguments"
        where = [] if out == DEFAULT_OUT else ["--out", str(out)]
        return shlex.join(["harness", verb, str(self.source), *self.changes, *where])

    @property
    def ids(self) -> dict[tuple[str, int], str]:
        """The id of every run by method and seed."""
        return {(run.method_name, run.number): run.id for run in self.runs}

    @cached_property
    def design(self) -> Design:
        """What of the randomness varies in its runs."""
        return self.file.randomness.laid_out(self.file.seeds)

    @property
    def apart(self) -> dict[str, dict[str, Any]]:
        """Of each method that trains a network, the settings in which the methods differ, and where published ones are
        from; empty where all are trained alike."""
        settings = collect_settings(self.runs)
        apart = find_differences(settings)
        if self.file.recipe == "shared":
            return apart
        recipes = {run.method_name: run.recipe for run in self.runs}
        return {method: apart.get(method, {}) | {"recipe": recipes[method]} for method in settings}


def load_study(source: Path | Mapping[str, Any], settings: Sequence[str] = (), seeds: str | None = None) -> Study:
    """Read, change (`--set`, `--seeds`), validate and expand a study file, or what such a file would hold."""
    if isinstance(source, Mapping):
        raw, path = copy_plain_values(source), Path(f"{source.get('name', 'study')}.toml")
    elif source.suffix.lower() in FOREIGN:
        raise HarnessError(f"{source} is no study: import its rows first, harness import {source} --table TABLE")
    else:
        raw, path = read_toml(source, "study"), source
    if "comparison" in raw:
        raw["comparison"] = rename_older_key(raw["comparison"])
    apply_settings(raw, list(settings))
    if seeds is not None:
        raw["seeds"] = seeds
    try:
        file = StudyFile.model_validate(raw)
    except ValidationError as error:
        raise InvalidStudyError(explain(error, f"study {path}", list_known_keys(error))) from None
    options = [word for setting in settings for word in ("--set", setting)]
    options += [] if seeds is None else ["--seeds", seeds]
    changes = None if isinstance(source, Mapping) else tuple(options)
    try:
        return replace(expand(file, path), changes=changes)
    except (MissingDataError, DamagedError):
        raise
    except HarnessError as error:
        raise InvalidStudyError(str(error)) from error


def copy_plain_values(study: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of what a study's file would hold, as a mapping says it."""
    if strange := next((key for key in study if not isinstance(key, str)), None):
        raise HarnessError(f"{brief(strange)} is no key of a study: write a text")
    found = {}
    for key, value in study.items():
        try:
            found[key] = copy.deepcopy(value)
        except Exception:  # of generators, files and whatever else is no value
            raise HarnessError(
                f"study {key} = {brief(value)} is no plain value: write a text, number, list or dict"
            ) from None
    return found


def list_known_keys(error: ValidationError) -> list[str]:
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
    table = open_study_table(file.table, space, dataset, file.retraining, f"study {source}")
    if table is not None and table.info["space"] != space.name:
        raise HarnessError(f"table {table.name!r} is of the space {table.info['space']!r}, not {space.name!r}")
    asked = file.probes if isinstance(file.probes, dict) else {name: {} for name in file.probes}
    probes = tuple(PROBES.build(name, fields) for name, fields in asked.items())
    overrides = file.methods if isinstance(file.methods, dict) else {name: {} for name in file.methods}
    if len(overrides) < len(file.methods):
        raise HarnessError(f"study {source} lists a method twice: give each one a label of its own")
    common = Common(space, file.recipe, file.preset, file.epochs, file.supernet, file.training, where=f"study {source}")
    trained = {label: common.of(label, changes) for label, changes in overrides.items()}
    for label, each in trained.items():
        if table is None and not isinstance(each.method.searcher, SupernetSearcher):
            raise HarnessError(f"method {label!r} searches the table itself, and study {source} names none")
    first = {
        label: Run(
            method_name=label,
            method=each.method,
            seed=file.seeds[0],
            space=space,
            dataset=dataset,
            table=table,
            epochs=each.epochs,
            preset=file.preset,
            supernet=each.supernet,
            training=each.training,
            evaluation=file.evaluation,
            probes=probes,
            judge=file.judge,
            recipe=each.recipe,
            together=file.together,
        )
        for label, each in trained.items()
    }
    refuse_one_folder(list(first.values()), source)
    refuse_undecidable(file, source)
    if file.randomness.plain:
        runs = tuple(run if seed == run.seed else run.of_seed(seed) for seed in file.seeds for run in first.values())
    else:
        try:
            points = file.randomness.laid_out(file.seeds).points
        except HarnessError:
            raise
        except ValueError as error:
            raise HarnessError(f"study {source}: {error}") from None
        runs = tuple(run.at(point) for point in points for run in first.values())
    return Study(file, runs, table, source)


def refuse_undecidable(file: StudyFile, source: Path) -> None:
    """An error where a study is to run until its comparison is decided, which none of its runs could decide."""
    if file.comparison.until_decided and file.randomness.crossed:
        raise HarnessError(
            f"study {source}: runs that share draws ([randomness]) decide nothing, however many: vary the seeds alone, "
            "or leave comparison.until_decided out"
        )
    if file.comparison.until_decided and len(file.methods) < 2:
        raise HarnessError(
            f"study {source}: one method alone is compared with nothing: add another one, or leave "
            "comparison.until_decided out"
        )


def refuse_one_folder(runs: Sequence[Run], source: Path) -> None:
    """An error where two methods of a study would have one folder: equal settings under labels whose letters differ in
    what a folder's name has no place for."""
    known: dict[str, Run] = {}
    for run in runs:
        # without regard to case: so are some file systems
        other = known.setdefault(run.folder_label.lower(), run)
        if other is not run and other.id == run.id:
            raise HarnessError(
                f"study {source}: {other.method_name!r} and {run.method_name!r} are the same method with the same "
                "settings, and their runs would have one folder: call one of them otherwise, or leave it out"
            )
