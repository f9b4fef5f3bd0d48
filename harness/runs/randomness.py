"""What of a run's randomness follows its seed, is held, or varies by itself: the section [randomness] of a study.

Crossed, every level of one kind meets every level of the others, so that each kind's own part of a spread and what it
has only together with others can be told apart. One at a time, a kind varies around each seed while all else stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from harness.core.seeds import MOST, check_seeds, parse_seeds
from harness.core.settings import Settings
from harness.core.streams import KINDS
from harness.spaces.base import Implementation

SEED: Literal["seed"] = "seed"
"""The level of what follows the seed, and the name of the seed as a factor: of all that follows it."""
Level = int | str
Seeds = Literal["seed"] | tuple[int, ...]


@dataclass(frozen=True)
class Point:
    """Where a run stands in a design. number: what rows call its seed. own: the seeds of the kinds of streams that do
    not follow the seed, other than the seed's. implementation: of the network; None: as the study's [supernet] says."""

    number: int
    seed: int
    own: Mapping[str, int]
    implementation: Implementation | None = None
    threads: int = 1

    def describe(self) -> dict[str, Any]:
        """What a run's identity says beside its seed and network; nothing where all follows the seed."""
        return dict(self.own) | ({} if self.threads == 1 else {"threads": self.threads})

    def level(self, factor: str) -> Level:
        """The level of a factor here."""
        if factor == SEED:
            return self.seed
        if factor in KINDS:
            return self.own.get(factor, self.seed)
        return str(self.implementation) if factor == "implementation" else self.threads


@dataclass(frozen=True)
class Design:
    """The points of a study's design, seeds outermost. kind: how its factors are varied. varied: the factors that vary
    by themselves, beside the seed."""

    kind: Literal["crossed", "one-at-a-time"]
    varied: tuple[str, ...]
    seeds: tuple[int, ...]
    points: tuple[Point, ...]

    @property
    def factors(self) -> tuple[str, ...]:
        """All that varies, the seed last: what follows it, as far as anything does."""
        return (*self.varied, *((SEED,) if len(self.seeds) > 1 else ()))

    def levels(self, point: Point) -> dict[str, Level]:
        """What a table of runs says of a point, beside its number; nothing where that is its seed."""
        return {factor: point.level(factor) for factor in (SEED, *self.varied)} if self.varied else {}

    @property
    def told(self) -> str:
        """ "weights, order crossed"; empty where nothing varies but the seed."""
        how = "crossed" if self.kind == "crossed" else "varied one at a time"
        return f"{', '.join(self.varied)} {how}" if self.varied else ""


class Randomness(Settings):
    """Which random streams of a run follow its seed, each "seed" (as all do, if not said), a number (held there) or
    several (`"0..4"`: it varies by itself).
    """

    design: Literal["crossed", "one-at-a-time"] = "crossed"
    """`crossed`, every level with every other and with every seed; or `one-at-a-time`, each kind alone around each
    seed, all else as the seed has it."""
    weights: Seeds = SEED
    """Initial weights of the one-shot network."""
    logits: Seeds = SEED
    """Initial architecture logits."""
    order: Seeds = SEED
    """Of batches, of both halves."""
    augmentation: Seeds = SEED
    """Of images."""
    draws: Seeds = SEED
    """What searcher and regularizers draw themselves."""
    probes: Seeds = SEED
    """What `[probes]` draw."""
    implementation: tuple[Implementation, ...] = ()
    """In what order sums are taken: by the `fast` network, the `readable` one, or both."""
    threads: tuple[int, ...] = Field((1,), min_length=1)
    """Threads of a run, each number another order of sums; one, if not said."""

    @field_validator(*KINDS, "threads", mode="before")
    @classmethod
    def _numbers(cls, value: Any, info: ValidationInfo) -> Any:
        if value == SEED and info.field_name != "threads":
            return value
        found = [value] if isinstance(value, int) else parse_seeds(value) if isinstance(value, str) else value
        if not isinstance(found, list | tuple) or not found:
            raise ValueError('write "seed", a number that is held, or several: "0..4"')
        check_seeds(list(found))
        if info.field_name == "threads" and not all(1 <= count <= MOST_THREADS for count in found):
            raise ValueError(f"threads are from 1 to {MOST_THREADS}")
        return tuple(found)

    @field_validator("implementation", mode="before")
    @classmethod
    def _names(cls, value: Any) -> Any:
        names = [value] if isinstance(value, str) else value
        if isinstance(names, list | tuple) and len(set(map(str, names))) < len(names):
            raise ValueError("it names one twice: leave one out")
        return names

    @model_validator(mode="after")
    def _varies(self) -> Randomness:
        if self.design == "one-at-a-time" and not self.crossed:
            raise ValueError('design = "one-at-a-time" needs something that varies: weights = "0..4"')
        return self

    @property
    def plain(self) -> bool:
        """Whether all follows the seed, as in a study that says nothing of it."""
        return self == Randomness()

    @property
    def levels(self) -> dict[str, tuple[Level, ...]]:
        """The levels of each factor that is said; of what follows the seed there are none."""
        kinds = {kind: getattr(self, kind) for kind in KINDS}
        found: dict[str, tuple[Level, ...]] = {kind: seeds for kind, seeds in kinds.items() if seeds != SEED}
        if self.implementation:
            found["implementation"] = self.implementation
        return found | {"threads": self.threads}

    @property
    def crossed(self) -> tuple[str, ...]:
        """The factors that have several levels."""
        return tuple(name for name, levels in self.levels.items() if len(levels) > 1)

    @property
    def held(self) -> dict[str, Level]:
        """The level of each factor that is held, other than at what it would be anyway."""
        usual = Randomness()
        return {name: own[0] for name, own in self.levels.items() if len(own) == 1 and own != usual.levels.get(name)}

    def laid_out(self, seeds: Sequence[int]) -> Design:
        """The design of a study with these seeds.

        Raises:
            ValueError: it has more points than a study may have runs of a method.
        """
        count = sum(1 for _ in islice(self._assignments(seeds), MOST + 1))
        if count > MOST:
            raise ValueError(f"[randomness] has more than {MOST:,} points: cross less")
        several = bool(self.crossed)
        points = (
            self._point(n if several else seed, seed, own) for n, (seed, own) in enumerate(self._assignments(seeds))
        )
        return Design(self.design, self.crossed, tuple(seeds), tuple(points))

    def _assignments(self, seeds: Sequence[int]) -> Iterator[tuple[int, dict[str, Level]]]:
        levels = self.levels
        for seed in seeds:
            if self.design == "crossed":
                yield from ((seed, dict(zip(levels, own, strict=True))) for own in product(*levels.values()))
                continue
            usual = {name: own[0] for name, own in levels.items() if len(own) == 1 or name not in KINDS}
            yield seed, usual
            for name in self.crossed:
                yield from ((seed, usual | {name: own}) for own in levels[name] if own != usual.get(name, seed))

    def _point(self, number: int, seed: int, levels: Mapping[str, Any]) -> Point:
        own = {kind: levels[kind] for kind in KINDS if levels.get(kind, seed) != seed}
        return Point(number, seed, own, levels.get("implementation"), levels["threads"])


MOST_THREADS = 256
