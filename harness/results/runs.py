"""Finished runs as one object: their rows, what they are of, and how they are to be compared and drawn."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ValidationError

from harness.core.arguments import spell_argument
from harness.core.errors import HarnessError, suggest_names
from harness.core.registry import explain
from harness.core.seeds import parse_seeds
from harness.measures.anytime import measure_agreement
from harness.results.endpoints import (
    NO_VALUE_AT_ALL,
    Endpoints,
    compute_run_endpoints,
    compute_trial_noise,
    count_operations,
    iterate_runs,
)
from harness.results.frames import LeftOut, average_trials, compute_search_seconds, find_looked_at, select_measure
from harness.results.provenance import list_provenance
from harness.runs.apart import Settings
from harness.runs.appearance import Appearance
from harness.runs.changes import apply_settings
from harness.runs.manifest import read_owner
from harness.runs.preregistration import DECLARED, UNDECLARED, Declared, describe_other_runs
from harness.runs.randomness import Design
from harness.runs.schema import TABLES
from harness.spaces.base import Space
from harness.stats.random_search import compute_best_of_random
from harness.tables.measure import ACCURACY, SCALES, Measure, Scale, compute_percentile
from harness.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Runs:
    """Finished runs of one space and table.

    Example:
        >>> import harness
        >>> runs = harness.load("results/published/ten-seeds")
        >>> len(runs), runs.table.name, int(runs.epochs["epoch"].max())
        (40, 'nasbench201.digits', 20)
    """

    epochs: pd.DataFrame
    """One row an epoch of every run (losses, supernet accuracy, logits, derived architecture), with `method` and
    `seed`."""
    lookups: pd.DataFrame
    """One row for every value that the table holds of an epoch's architecture, accuracies in %."""
    timing: pd.DataFrame
    """Seconds and memory of every epoch."""
    table: Table | None
    """The table that was asked, or None."""
    space: Space | None = None
    """What was searched; the table's, where nothing else is known."""
    settings: Mapping[str, Settings] = field(default_factory=dict)
    """How each method's network was trained, where that is known."""
    design: Design | None = None
    """What of the randomness varied, where that is known; `seed` is a point's number there."""
    machines: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """What computed each run, by method and seed, where several machines did."""
    ids: Mapping[tuple[str, int], str] = field(default_factory=dict)
    """Of the runs' configurations, by method and seed, where they are known."""
    name: str = "runs"
    """The study's."""
    source: Path = Path()
    """What was read: a study's file, or a folder."""
    folder: Path = Path()
    """Where figures go, if nothing else is said."""
    missing: int = 0
    """Runs of the study that are not finished."""
    declared: Declared = field(default_factory=Declared)
    """How they are to be compared."""
    standing: str = UNDECLARED
    """Whether that was declared before the first run."""
    manifests: Sequence[dict[str, Any]] = ()
    """The configuration and environment of every run; empty for imported logs."""
    figures: Appearance = field(default_factory=Appearance)
    """How figures are to look."""

    def __post_init__(self) -> None:
        if self.space is None and self.table is not None and self.table.info["space"] is not None:
            object.__setattr__(self, "space", self.table.space)

    def __repr__(self) -> str:
        told = f"methods {', '.join(self.methods)}" if self.methods else "no methods"
        return f"<Runs {self.name}: {len(self)} runs; {told}>"

    def __len__(self) -> int:
        """Number of runs."""
        return 0 if self.epochs.empty else len(self.epochs[["method", "seed"]].drop_duplicates())

    @property
    def methods(self) -> list[str]:
        """Names of the methods, in the order of the rows."""
        return [] if self.epochs.empty else [str(name) for name in self.epochs["method"].unique()]

    @property
    def is_declared(self) -> bool:
        """Whether all of what is compared was declared before the first run."""
        return self.standing == DECLARED

    @property
    def provenance(self) -> list[str]:
        """What the runs were computed with, where that is not the same for all, or of an older record format."""
        return list_provenance(self.manifests, self.source)

    @property
    def no_table_note(self) -> str:
        """What errors are of where there is no table, for headings; nothing where a table tells them."""
        return "" if self.table is not None else f"no table: supernet validation {self.scale.error}"

    @property
    def scale(self) -> Scale:
        """What errors are of: the table's scale, or that on which one-shot networks were evaluated."""
        if self.table is not None:
            return self.table.scale
        found = (scale for scale in SCALES.values() if f"supernet_{scale.column}" in self.epochs)
        return next(found, ACCURACY)

    def select_seeds(self, seeds: Sequence[int] | str) -> Runs:
        """The runs of these seeds alone: what is compared of them is exploratory.

        Args:
            seeds: numbers, or a text such as "0..9".

        Raises:
            HarnessError: the text names no seeds.
        """
        try:
            chosen = set(parse_seeds(seeds) if isinstance(seeds, str) else map(int, seeds))
        except HarnessError:
            raise
        except ValueError as error:
            raise HarnessError(str(error)) from None
        return self._keep({key for key in self._name_runs() if key[1] in chosen})

    def select_methods(self, names: Sequence[str] | str) -> Runs:
        """The runs of these methods alone, in this order: what is compared of a part of them is exploratory.

        Args:
            names: one, or several.

        Raises:
            HarnessError: no run is of such a method.
        """
        names = [names] if isinstance(names, str) else list(names)
        for name in names:
            if name not in self.methods:
                raise HarnessError(f"these runs have no method {name!r}: {suggest_names(name, self.methods)}")
        kept = self._keep({key for key in self._name_runs() if key[0] in names})
        places = {name: i for i, name in enumerate(names)}
        ordered: dict[str, Any] = {
            table: frame.sort_values("method", key=lambda c: c.map(places), kind="stable")
            for table in TABLES
            if "method" in (frame := getattr(kept, table))
        }
        return replace(kept, **ordered)

    def judge_by(self, measure: Measure | str) -> Runs:
        """The same runs, judged by another measure of their table than its test: what is compared is exploratory.

        Raises:
            HarnessError: there is no table, or it has no such measure.
        """
        if self.table is None:
            raise HarnessError(f"there is no {measure} without a table: leave {spell_argument('measure')} out")
        chosen = self.table.find_measure(measure)
        if chosen == self.table.test:
            return self
        table = copy.copy(self.table)
        table.test = chosen
        return replace(self, table=table, standing=f"exploratory: judged by {chosen}, not by what was declared")

    def _keep(self, keys: Collection[tuple[str, int]]) -> Runs:
        """These runs alone, by method and seed, and what is known of them."""
        import pandas as pd

        every = self._name_runs()
        if len(keys) == len(every):
            return self
        frames: dict[str, Any] = {
            table: frame[pd.MultiIndex.from_frame(frame[["method", "seed"]]).isin(list(keys))] if keys else frame[:0]
            for table in TABLES
            if "seed" in (frame := getattr(self, table))
        }
        methods = {method for method, _ in keys}
        points = self.design is not None and bool(self.design.varied)  # of which a manifest does not tell the number
        left_out = describe_other_runs(every, {key: name for key, name in every.items() if key in keys})
        return replace(
            self,
            **frames,
            settings={method: told for method, told in self.settings.items() if method in methods},
            machines={key: told for key, told in self.machines.items() if key in keys},
            ids={key: told for key, told in self.ids.items() if key in keys},
            manifests=[
                manifest
                for manifest in self.manifests
                if (manifest["method_name"] in methods if points else read_owner(manifest) in keys)
            ],
            standing=f"exploratory: {left_out}" if left_out else self.standing,
        )

    def narrow(self, settings: Sequence[str] | str, seeds: str | None) -> Runs:
        """Of these seeds alone, compared and drawn as the settings say; a comparison that is changed is exploratory.

        Args:
            settings: `section.key=value`, of comparison and figures.
            seeds: such as "0..9"; all, if None.

        Raises:
            HarnessError: a setting is of another section, or has no such value, or there are no such seeds.
        """
        kinds: dict[str, type[BaseModel]] = {"comparison": Declared, "figures": Appearance}
        raw = {"comparison": self.declared.model_dump(mode="json"), "figures": self.figures.model_dump(mode="json")}
        settings = [settings] if isinstance(settings, str) else list(settings)
        apply_settings(raw, settings)
        if unknown := set(raw) - set(kinds):
            raise HarnessError(
                f"of results that are there, only comparison.* and figures.* can be set, not {sorted(unknown)[0]!r}"
            )
        read: dict[str, Any] = {}
        for section, kind in kinds.items():
            try:
                read[section] = kind.model_validate(raw[section])
            except ValidationError as error:
                raise HarnessError(explain(error, section, kind.model_fields)) from None
        kept = self if seeds is None else self.select_seeds(seeds)
        told = kept.standing
        if any(not setting.startswith("figures.") for setting in settings):
            told = "exploratory: settings were changed when this was read"
        return replace(kept, declared=read["comparison"], standing=told, figures=read["figures"])

    def _name_runs(self) -> dict[tuple[str, int], str]:
        """The runs by method and seed, where their ids do not matter."""
        if self.epochs.empty:
            return {}
        runs = self.epochs[["method", "seed"]].drop_duplicates()
        return {(method, int(seed)): "" for method, seed in runs.itertuples(index=False)}

    def list_short(self) -> list[LeftOut]:
        """Runs that end before the last epoch of their method: they had another budget, and are compared with none."""
        last = self.epochs.groupby(["method", "seed"], sort=False)["epoch"].max()
        longest = last.groupby(level="method").max()
        return [
            LeftOut(method, int(seed), f"ends after epoch {epoch} of {longest[method]}")
            for method, seed, epoch in last.reset_index().itertuples(index=False)
            if epoch < longest[method]
        ]

    def errors(self, measure: Measure | str | None = None) -> pd.DataFrame:
        """One row a run and epoch: `method`, `seed`, `epoch`, `seconds`, `error_pct`.

        Seconds are those that a search was measured to take, without its probes and lookups (see
        `compute_search_seconds`); of one that only asks the table, the simulated seconds of the trainings that it
        asked for, where the table has them.

        With a table: the error of the derived architecture in `measure` (default: the table's test), mean over the
        trials that it has, NaN where there is none. Without: the supernet's error on the search-validation half. An
        error is 100 - accuracy in %, or what else the `scale` compares, in its unit: perplexity, of language models.

        Args:
            measure: of the table, as one or as "dataset/split@epochs"; its test, if not said.
        """
        measure = None if measure is None else Measure.of(measure)
        keys = ["method", "seed", "epoch"]
        timing = self.timing[keys].copy()
        timing["seconds"] = compute_search_seconds(self.timing)
        if "simulated_s" in self.timing:  # results published before there was a simulated clock have none
            timing["seconds"] = self.timing["simulated_s"].fillna(timing["seconds"])
        scale = self.scale
        if self.table is None:
            rows = self.epochs.assign(error_pct=scale.error_of(self.epochs[f"supernet_{scale.column}"]))
        else:
            rows = average_trials(select_measure(self.lookups, measure or self.table.test), keys, scale)
            rows["error_pct"] = scale.error_of(rows[scale.column])
        return timing.merge(rows[[*keys, "error_pct"]], on=keys, how="left", validate="one_to_one")

    def rows(self, measure: Measure | str | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows of every epoch, or these columns of them, with `seconds` and `error_pct` in a measure (see
        `errors`)."""
        epochs = self.epochs if columns is None else self.epochs[list(columns)]
        return epochs.merge(self.errors(measure), on=["method", "seed", "epoch"], validate="one_to_one")

    def reference_errors(self, measure: Measure | str | None = None) -> tuple[float, float]:
        """Errors in % of the table's optimum and of its median architecture; NaN where unknown."""
        known = {} if self.table is None else self.table.references(measure or self.table.test)
        optimum, median = (known.get(k, float("nan")) for k in ("table optimum", "random architecture (median)"))
        return optimum, median

    def final(self) -> pd.DataFrame:
        """One row a method: number of runs with a value, median and range of the last epoch's error, median of the best
        epoch's (chosen in hindsight: no result of a search) beside the best of as many random cells, different
        architectures at the last epoch, its percentile in the table, seconds of search a run, and of its probes, where
        there are any. Runs that ended before their method's last epoch are left out (see `list_short`)."""
        import pandas as pd

        if not len(self):
            return pd.DataFrame()
        short = pd.MultiIndex.from_tuples(
            [(run.method, run.seed) for run in self.list_short()], names=["method", "seed"]
        )
        errors = self.errors()
        errors = errors[~pd.MultiIndex.from_frame(errors[["method", "seed"]]).isin(short)]
        rows = []
        for name, part in errors.groupby("method", sort=False):
            end = part["epoch"].max()  # methods may have different numbers of epochs
            last = part[part["epoch"] == end]["error_pct"].dropna()
            own = self.epochs[(self.epochs["method"] == name) & (self.epochs["epoch"] == end)]
            judged = int(part.groupby("seed")["error_pct"].count().median())
            row: dict[str, Any] = {
                "method": name,
                "n": len(last),
                f"final_{self.scale.suffix}": round(float(last.median()), 2),
                "lowest": round(float(last.min()), 2),
                "highest": round(float(last.max()), 2),
                self.scale.best_epoch: round(float(part.groupby("seed")["error_pct"].min().median()), 2),
            }
            if self.table is not None and judged and self.table.knows_all(self.table.test):
                cells = self.scale.error_of(self.table.row_values(self.table.test))
                row[self.scale.best_of_random] = round(compute_best_of_random(cells, judged), 2)
            row["distinct"] = measure_agreement(own["architecture"].tolist())[0]
            if self.table is not None and self.table.knows_all(self.table.test):
                places, scale = self.scale.places_of, self.scale
                values = -places(self.table.row_values(self.table.test))
                # means over trials, read from rows and from arrays, may differ in the last bits
                ranks = [compute_percentile(values, -places(scale.value_of(e)), tolerance=1e-4) for e in last]
                row["percentile"] = round(float(np.median(ranks)), 1) if ranks else float("nan")
            rows.append(row | {"seconds": round(float(part.groupby("seed")["seconds"].max().median()), 1)})
            if "probe_s" in self.timing and self.timing["probe_s"].max() >= 0.05:  # without probes none takes so long
                probing = self.timing[self.timing["method"] == name].groupby("seed")["probe_s"].max().median()
                rows[-1]["probe_seconds"] = round(float(probing), 1)
        return pd.DataFrame(rows)

    def endpoints(self, measure: Measure | str | None = None) -> Endpoints:
        """What every run ended at, in a measure of the table (its test, if none is named), as the comparison declares.

        Runs that end before the last epoch of their method's other runs are left out, and so are those whose cells have
        no value at any epoch.

        Raises:
            HarnessError: there are no runs, or none has a value.
        """
        measure = None if measure is None else Measure.of(measure)
        if measure not in self._endpoints:
            self._endpoints[measure] = self._compute_endpoints(measure)
        return self._endpoints[measure]

    @cached_property
    def _endpoints(self) -> dict[Measure | None, Endpoints]:
        return {}

    def _compute_endpoints(self, measure: Measure | None) -> Endpoints:
        import pandas as pd

        if not len(self):
            raise HarnessError("there are no finished runs to compare")
        optimum, random = self.reference_errors(measure)
        noise = self._estimate_noise(measure)  # before there is more to hold
        short = {(run.method, run.seed): run for run in self.list_short()}
        rows = count_operations(self.rows(measure, find_looked_at(map(str, self.epochs))), self.space)
        found: list[dict[str, Any]] = []
        left_out = list(short.values())
        for method, seed, run in iterate_runs(rows):
            if (method, seed) in short:
                continue
            if np.isnan(run["error_pct"]).all():
                left_out.append(LeftOut(method, seed, NO_VALUE_AT_ALL))
                continue
            ended = compute_run_endpoints(run, optimum, random, self.declared)
            found.append({"method": method, "seed": seed, **ended})
        if not found:
            raise HarnessError(
                f"no run has a value {f'in {measure}' if measure else 'at any epoch'}: the table holds nothing of what "
                f"they derived; the first is {left_out[0].method!r}, seed {left_out[0].seed}"
            )
        order = {name: place for place, name in enumerate(self.methods)}
        runs = pd.DataFrame(found).sort_values(
            ["method", "seed"], key=lambda c: c.map(order) if c.name == "method" else c
        )
        left_out.sort(key=lambda run: (order[run.method], run.seed))
        return Endpoints(
            runs.reset_index(drop=True),
            optimum,
            random,
            noise,
            tuple(left_out),
            self.settings,
            self.scale,
            self.design.told if self.design else "",
            self.machines,
        )

    def _estimate_noise(self, measure: Measure | None) -> float:
        """Of the table's mean over trials (see `compute_trial_noise`); NaN where there is none."""
        if self.table is None or self.lookups.empty:
            return float("nan")
        return compute_trial_noise(select_measure(self.lookups, measure or self.table.test), self.epochs, self.scale)
