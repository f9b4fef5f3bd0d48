"""What a search space declares: its choices, what its operations are, how an architecture is read, and its networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from harness.core.errors import HarnessError
from harness.core.registry import Registry

SPACES = Registry("spaces", "harness.spaces")

IMAGES, WORDS = "images", "words"
"""What networks read (see `datasets.base.Data.kind`)."""
APART = "operations that are computed one by one"
CELLS = "several cells"
NO_WAY_AROUND = "operations without a way around them of their own"
STACKS = "networks that are trained together for a table"
SIDE_BY_SIDE = "networks that are computed beside those of other searches"
Rows = Sequence[NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class Architecture:
    """A discrete architecture.

    encoding: the space's readable string, exact (parsing it gives this architecture back).
    key: what a benchmark table files it under (NAS-Bench-201: the string; NAS-Bench-101: the module hash).
    operations: the operation of every choice of one, in the space's order.
    """

    encoding: str
    key: str
    operations: tuple[str, ...]


@dataclass(frozen=True)
class Choices:
    """An architecture tensor: one choice a row.

    kind: what is chosen, operations, or the inputs of a node. options: the names of what each row may take, as many in
    every row. labels: the name of each row. nodes: the node that the edge of each row enters, where rows are edges.
    keeps: how many of a node's edges an architecture has, None: all. picks: how many of its options a row takes. cell:
    the kind of cell that the choices are made for, where a network has several.
    """

    kind: Literal["operations", "inputs"]
    options: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...]
    picks: int = 1
    cell: str = "cell"
    nodes: tuple[int, ...] = ()
    keeps: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Its size, (choices, options)."""
        return len(self.options), len(self.options[0])


class Preset(BaseModel):
    """The arithmetic that a search runs with. The defaults are the preset `fixed`; `official` is as published.

    Every difference between the two is a field, here or in the space's own subclass, so that the list is complete by
    construction. A subclass's own fields are options of the space's networks.

    clip_counts_alpha: the norm of weight and architecture gradients is clipped together, as where the published
    architecture tensor is among `model.parameters()`: weights are clipped harder than stated. Fixed: weights only.
    finite_difference_moves_bn: the two finite-difference passes of second-order DARTS move the network's batch-norm
    running statistics (published), or leave them (fixed).
    unevaluated_weights_move: a weight that a step does not compute with still moves by its momentum and its decay, once
    it had a gradient (published: gradients were set to zero before PyTorch 2), or stays (fixed).
    virtual_clip: whether second-order DARTS clips the gradient of its virtual step, and the vector of its finite
    difference, as the weight step is clipped; "capped": the factor of the clip is counted in the chain rule, at most
    one; "uncapped": also above one, by which the step was not made longer (published for language models).
    tied_weights_stay: weights that the network uses twice are left out of the virtual step (published).
    ascends_in_eval_mode: the attack of SDARTS-ADV is on the loss with the batch norm's running statistics, without
    dropout; else on that with those of the batch, which the weight step has.
    validation_jumps: a stretch of validation text has the full length while the position moves by that of the training
    stretch, and begins anew somewhere in the text without its hidden state being put back to zero (published); else it
    has the training stretch's length, and the text is read from its beginning to its end.
    evaluation_counts_all_rows: the mean loss of a text is divided by its rows, one of which has no word before it
    (published); else by those that are predicted.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    clip_counts_alpha: bool = False
    finite_difference_moves_bn: bool = False
    unevaluated_weights_move: bool = False
    virtual_clip: Literal["off", "capped", "uncapped"] = "off"
    tied_weights_stay: bool = False
    ascends_in_eval_mode: bool = True
    validation_jumps: bool = False
    evaluation_counts_all_rows: bool = False

    def network_options(self) -> dict[str, Any]:
        """Options of the network's constructor: the fields that a subclass adds."""
        return self.model_dump(exclude=set(Preset.model_fields))


FIXED = Preset()
PresetName = Literal["official", "fixed"]
Implementation = Literal["fast", "readable"]
"""Of a network: one for speed, or one module an operation."""


@dataclass(frozen=True)
class Networks:
    """What builds the networks of a space.

    readable: the one-shot network, one module an operation, a subclass of `blocks.supernet.Supernet` or what makes one;
    called with channels, cells, classes, image_channels, the preset's and the regularizers' options. fast: the same
    function of the same weights, where there is one that is faster. stack: the `blocks.stacked.StackedNetworks` that
    train architectures for a table, where there are any. derived: what makes the network of one architecture as papers
    train it, a subclass of `blocks.derived.Derived`, where there is one; called with the architecture, channels, cells,
    classes, shape (of an image), auxiliary (whether it has a second classifier). together: the
    `blocks.together.SideBySide` that computes the fast networks of several searches in one pass, where there is one.
    """

    readable: Callable[..., Any]
    fast: Callable[..., Any] | None = None
    stack: type[Any] | None = None
    derived: Callable[..., Any] | None = None
    together: type[Any] | None = None


class Space(ABC):
    """A search space: one folder, or one file."""

    name: ClassVar[str] = ""
    source: ClassVar[str] = ""
    """The paper, for citations."""
    operations: ClassVar[tuple[str, ...]]
    """Every operation that some choice may take."""
    parameter_free: ClassVar[tuple[str, ...]] = ()
    """Those without weights: a cell full of them is what a collapsed search derives."""
    zero: ClassVar[str | None] = None
    """The one that gives nothing."""
    skip: ClassVar[str | None] = None
    """The one that gives its input."""
    short: ClassVar[Mapping[str, str]] = {}
    """Names of operations that are short enough for a figure; the others are short enough."""
    weights: ClassVar[Mapping[str, int]] = {}
    """How many each operation of the first architecture tensor has, as its code counts, for methods that charge."""
    tensors: ClassVar[tuple[Choices, ...]]
    """The architecture tensors."""
    alpha_shapes: ClassVar[tuple[tuple[int, int], ...]]
    """Their shapes, one row a choice."""
    picks: ClassVar[tuple[int, ...]]
    """How many of its options a row of each of them takes."""
    default_cells: ClassVar[int]
    """The published depth of the one-shot network, in the network's own count of cells."""
    least_cells: ClassVar[int] = 1
    """The depth from which on the network has every kind of cell."""
    presets: ClassVar[Mapping[PresetName, Preset]] = {"official": FIXED, "fixed": FIXED}
    has: ClassVar[tuple[str, ...]] = (IMAGES, APART, CELLS, NO_WAY_AROUND)
    """What its networks have that others may ask for, without building any: `IMAGES` or `WORDS` as their input,
    `APART`, `CELLS`, `NO_WAY_AROUND`; `STACKS`, where `Networks.stack` is given; `SIDE_BY_SIDE`, where
    `Networks.together` is."""
    trainings: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    """Recipes by which its papers trained what they derived, by name: fields that differ from those of the published
    one of networks that read the same (`runs.retraining.recipe`)."""
    recipe: ClassVar[Mapping[str, Any]] = {}
    """Fields of `tables.training.recipe.TableRecipe` that differ for this space."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "tensors" in vars(cls):
            cls.alpha_shapes = tuple(t.shape for t in cls.tensors)
            cls.picks = tuple(t.picks for t in cls.tensors)

    recorded_cells: ClassVar[str] = "layers"
    """What the records of published code call `cells`."""

    @classmethod
    def of_record(cls, recorded: str, arrays: Mapping[str, Any]) -> Space | None:
        """The space on which a record of published code is replayed, where that is this one. recorded: what the record
        calls it; arrays: what else it holds, for records whose name of it does not say all."""
        return cls() if recorded.replace("_", ".") == cls.name.replace("_", ".") else None

    @abstractmethod
    def networks(self) -> Networks:
        """What builds the space's networks; imports torch only when it is called."""

    @abstractmethod
    def derive(self, alphas: Rows) -> Architecture:
        """The architecture of the largest entries (logits or weights alike); ties go to the lower index."""

    def strongest(self, strengths: Rows) -> Architecture:
        """The same where the entries of one row are compared with those of another as they are, which for logits that
        stand for a softmax they are not."""
        return self.derive(strengths)

    @abstractmethod
    def parse(self, encoding: str) -> Architecture:
        """The architecture of a string; an error says which part is wrong."""

    @abstractmethod
    def mix(self, architecture: Architecture) -> list[NDArray[np.float64]]:
        """The architecture as mixing weights: one at what it takes, zero elsewhere; shapes as `alpha_shapes`."""

    @abstractmethod
    def graph(self, architecture: Architecture) -> list[tuple[int, int, str]]:
        """The cell to be drawn: edges (source, target, operation), nodes counted from the input, 0, to the output; an
        operation on a node is an edge from it to itself, and edges then have none ("")."""

    @abstractmethod
    def canonical_key(self, architecture: Architecture) -> str:
        """Equal for two encodings exactly when they are the same cell (the space says in which sense)."""

    @abstractmethod
    def random(self, rng: np.random.Generator) -> Architecture:
        """One encoding drawn uniformly."""

    @abstractmethod
    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """The architectures that differ in one choice, in a fixed order."""

    def recorded_decoding(self, case: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        """What is decoded of recorded logits, and what was recorded, by quantity; nothing where the space's published
        code has no record of it."""
        return {}

    def recorded_encoding(self, genotype: str) -> str:
        """The encoding of a genotype as the records of published code write it."""
        return genotype

    def operation_tensors(self) -> list[int]:
        """The places of the architecture tensors that choose operations."""
        return [i for i, t in enumerate(self.tensors) if t.kind == "operations"]

    def at(self, index: int) -> Architecture:
        """The architecture of a published index; an error where the space has none, or not that one."""
        raise HarnessError(f"architectures of {self.name} have no published index: write {index} as an encoding")

    def index(self, encoding: str) -> int | None:
        """The published index of an encoding; None where the space has none."""
        return None

    def check_shapes(self, alphas: Rows) -> list[NDArray[np.floating[Any]]]:
        """The architecture tensors as arrays of the space's shapes, all finite."""
        arrays = [np.asarray(a) for a in alphas]
        shapes = tuple(a.shape for a in arrays)
        if shapes != self.alpha_shapes:
            raise HarnessError(f"{self.name} takes architecture tensors of shapes {self.alpha_shapes}, not {shapes}")
        if not all(np.isfinite(a).all() for a in arrays):
            raise HarnessError(f"the architecture tensors of {self.name} hold NaN or infinity: the search diverged")
        return arrays


class Enumerable(Space):
    """A space that is small enough to be written down whole."""

    size: ClassVar[int]
    """Number of encodings that `enumerate` yields."""
    distinct: ClassVar[int]
    """Number of different canonical keys among them."""

    @abstractmethod
    def enumerate(self) -> Iterator[Architecture]:
        """Every encoding of the space, once, in a fixed order; a benchmark's own numbering, where it has one."""

    @abstractmethod
    def distinct_architectures(self) -> dict[str, Architecture]:
        """One architecture of every canonical key."""


def search_space(name: str) -> Space:
    """The space of a name.

    Args:
        name: as `harness list spaces` has it, such as "nasbench201".

    Returns:
        The space.

    Raises:
        HarnessError: there is no space of that name; the sentence suggests the closest ones.

    Example:
        >>> import harness
        >>> space = harness.search_space("nasbench201")
        >>> space.parse("|nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|").operations[:2]
        ('nor_conv_3x3', 'none')
    """
    space: Space = SPACES.find(name)()
    return space


def require_enumerable(space: Space, why: str) -> Enumerable:
    """The space, or an error that says what needs all of its architectures."""
    if not isinstance(space, Enumerable):
        raise HarnessError(f"{why} needs every architecture of its space, and {space.name} has too many to list")
    return space
