"""Reading finished runs: tidy frames, errors by epoch, and the table of final results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.core.errors import HarnessError
from harness.measures.anytime import measure_agreement
from harness.results.index import Read, read_indexed
from harness.results.provenance import describe_machines
from harness.runs.apart import Settings, collect_settings, group_by_method
from harness.runs.execute import Planned
from harness.runs.published import read_published_tables
from harness.runs.randomness import Design, Randomness
from harness.runs.schema import OWNER, TABLES, Unfit, check_values
from harness.runs.store import ANEW, MANIFEST, read_manifest, read_owner
from harness.spaces.base import SPACES, Space
from harness.stats.random_search import compute_best_of_random
from harness.tables.catalog import VERSION, open_table
from harness.tables.measure import ACCURACY, SCALES, Measure, Scale, compute_percentile
from harness.tables.table import Table
from harness.tables.training.on_demand import TrainedTable

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


READERS = 8
"""Files read at a time: on a file server each is a wait of its own."""


class LeftOut(NamedTuple):
    """A run that is not compared. why: what is said of it after its method and seed."""

    method: str
    seed: int
    why: str


@dataclass(frozen=True)
class Results:
    """Rows of finished runs, each with `method` and `seed`.

    epochs: one row an epoch (losses, supernet accuracy, logits, derived architecture). lookups: one row for every
    value that the table holds of it. timing: seconds and memory. table: the table that was asked, or None. space: what
    was searched; the table's, where nothing else is known. settings: how each method's network was trained, where that
    is known. design: what of the randomness varied, where that is known; `seed` is a point's number there. machines:
    what computed each run, by method and seed, where several machines did. ids: of the runs' configurations, by method
    and seed, where they are known.
    """

    epochs: pd.DataFrame
    lookups: pd.DataFrame
    timing: pd.DataFrame
    table: Table | None
    space: Space | None = None
    settings: Mapping[str, Settings] = field(default_factory=dict)
    design: Design | None = None
    machines: Mapping[tuple[str, int], str] = field(default_factory=dict)
    ids: Mapping[tuple[str, int], str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.space is None and self.table is not None and self.table.info["space"] is not None:
            object.__setattr__(self, "space", self.table.space)

    @classmethod
    def of_runs(
        cls,
        planned: Sequence[Planned],
        table: Table | None,
        manifests: Sequence[dict[str, Any]] | None = None,
        design: Design | None = None,
    ) -> Results:
        """The rows of those of the runs that are finished. manifests: of those, where they were read before. design:
        of the study that they are of."""
        finished = [p for p in planned if p.finished]
        known = [p.folder.manifest() for p in finished] if manifests is None else manifests
        runs = [Read(p.folder, m, p.run.method_name, p.run.number) for p, m in zip(finished, known, strict=True)]
        settings = collect_settings(p.run for p in finished)
        space = planned[0].run.space if planned else None
        by = label_machines([(run.method, run.seed) for run in runs], known)
        ids = {(p.run.method_name, p.run.number): p.run.id for p in finished}
        return cls(
            **stack_tables(runs), table=table, space=space, settings=settings, design=design, machines=by, ids=ids
        )

    @classmethod
    def of_folder(cls, folder: Path) -> Results:
        """Published results (see `harness publish`); the table is opened by the name in their manifest, and must be
        the one that was asked."""
        inside = sorted(p.parent for p in folder.glob(f"*/{MANIFEST}") if (p.parent / "epochs.parquet").is_file())
        if inside and not (folder / MANIFEST).exists():
            named = " or ".join(map(str, inside[:3]))
            raise HarnessError(f"{folder} holds no published results itself; did you mean {named}?")
        manifest = read_manifest(folder / MANIFEST, ANEW)
        if "configuration" in manifest or "retraining" in manifest:
            raise HarnessError(f"{folder} holds no published results itself: it is the folder of one run")
        frames: dict[str, Any] = {n: table.to_pandas() for n, table in read_published_tables(folder, manifest).items()}
        table = open_named_table(manifest["table"], f"the results in {folder}")
        name = manifest["study"].get("space")
        settings = group_by_method((run["method_name"], run["configuration"]) for run in manifest.get("runs", []))
        space = None if name is None else SPACES.find(name)()
        design, runs = read_design(manifest["study"]), manifest.get("runs", [])
        varied = design and design.varied  # several runs of a seed then
        by = {} if varied else label_machines([read_owner(run) for run in runs], runs)
        ids = {} if varied else {read_owner(run): str(run["id"]) for run in runs}
        return cls(**frames, table=table, space=space, settings=settings, design=design, machines=by, ids=ids)

    def of_seeds(self, seeds: Sequence[int]) -> Results:
        """The rows of these seeds."""
        frames = {name: getattr(self, name) for name in TABLES}
        kept = {name: frame[frame["seed"].isin(seeds)] for name, frame in frames.items()}
        return replace(self, **kept)

    @property
    def judged_by(self) -> str:
        """What errors are of where there is no table, for headings; nothing where a table tells them."""
        return "" if self.table is not None else f"no table: supernet validation {self.scale.error}"

    @property
    def scale(self) -> Scale:
        """What errors are of: the table's scale, or that on which one-shot networks were evaluated."""
        if self.table is not None:
            return self.table.scale
        found = (scale for scale in SCALES.values() if f"supernet_{scale.column}" in self.epochs)
        return next(found, ACCURACY)

    def __len__(self) -> int:
        """Number of runs."""
        return 0 if self.epochs.empty else len(self.epochs[["method", "seed"]].drop_duplicates())

    def short_runs(self) -> list[LeftOut]:
        """Runs that end before the last epoch of their method: they had another budget, and are compared with none."""
        last = self.epochs.groupby(["method", "seed"], sort=False)["epoch"].max()
        longest = last.groupby(level="method").max()
        return [
            LeftOut(method, int(seed), f"ends after epoch {epoch} of {longest[method]}")
            for method, seed, epoch in last.reset_index().itertuples(index=False)
            if epoch < longest[method]
        ]

    def error_by_epoch(self, measure: Measure | None = None) -> pd.DataFrame:
        """One row a run and epoch: `method`, `seed`, `epoch`, `seconds`, `error_pct`.

        Seconds are those that a search was measured to take, without its probes and lookups (see `search_seconds`); of
        one that only asks the table, the simulated seconds of the trainings that it asked for, where the table has
        them.

        With a table: the error of the derived architecture in `measure` (default: the table's test), mean over the
        trials that it has, NaN where there is none. Without: the supernet's error on the search-validation half. An
        error is 100 - accuracy in %, or what else the `scale` compares, in its unit: perplexity, of language models.
        """
        keys = ["method", "seed", "epoch"]
        timing = self.timing[keys].copy()
        timing["seconds"] = search_seconds(self.timing)
        if "simulated_s" in self.timing:  # results published before there was a simulated clock have none
            timing["seconds"] = self.timing["simulated_s"].fillna(timing["seconds"])
        scale = self.scale
        if self.table is None:
            rows = self.epochs.assign(error_pct=scale.error_of(self.epochs[f"supernet_{scale.column}"]))
        else:
            rows = average_trials(select(self.lookups, measure or self.table.test), keys, scale)
            rows["error_pct"] = scale.error_of(rows[scale.column])
        return timing.merge(rows[[*keys, "error_pct"]], on=keys, how="left", validate="one_to_one")

    def rows(self, measure: Measure | None = None, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows of every epoch, or these columns of them, with `seconds` and `error_pct` in a measure (see
        `error_by_epoch`)."""
        epochs = self.epochs if columns is None else self.epochs[list(columns)]
        return epochs.merge(self.error_by_epoch(measure), on=["method", "seed", "epoch"], validate="one_to_one")

    def levels(self, measure: Measure | None = None) -> tuple[float, float]:
        """Errors in % of the table's optimum and of its median architecture; NaN where unknown."""
        known = {} if self.table is None else self.table.references(measure or self.table.test)
        optimum, median = (known.get(k, float("nan")) for k in ("table optimum", "random architecture (median)"))
        return optimum, median

    def final(self) -> pd.DataFrame:
        """One row a method: number of runs with a value, median and range of the last epoch's error, median of the best
        epoch's (chosen in hindsight: no result of a search) beside the best of as many random cells, different
        architectures at the last epoch, its percentile in the table, seconds of search a run, and of its probes, where
        there are any. Runs that ended before their method's last epoch are left out (see `short_runs`)."""
        import pandas as pd

        if not len(self):
            return pd.DataFrame()
        short = pd.MultiIndex.from_tuples(
            [(run.method, run.seed) for run in self.short_runs()], names=["method", "seed"]
        )
        errors = self.error_by_epoch()
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


def label_machines(keys: Sequence[tuple[str, int]], manifests: Sequence[dict[str, Any]]) -> dict[tuple[str, int], str]:
    """What computed each run; empty where one machine did."""
    told = describe_machines(manifests)
    return dict(zip(keys, told, strict=True)) if any(told) else {}


def read_design(study: Mapping[str, Any]) -> Design | None:
    """The design of a published study, by what its manifest says of it; None where it says nothing."""
    try:
        return Randomness.model_validate(study["randomness"]).laid_out(study["seeds"])
    except HarnessError:
        raise
    except (KeyError, ValueError, TypeError):
        return None


APART = ("probe_s", "lookup_s")
"""Seconds in a run's wall_s that are no part of its search."""


def search_seconds(timing: pd.DataFrame) -> pd.Series[float]:
    """Wall seconds of the search alone, since its run began; with probes and lookups in rows that do not know them,
    which older versions wrote."""
    apart = [c for c in APART if c in timing]
    return timing["wall_s"] - timing[apart].fillna(0).sum(axis=1)


def stack_tables(runs: Sequence[Read]) -> dict[str, Any]:
    """The tables of finished runs of a study, each run's below the one before, with `method` and `seed`."""
    import pandas as pd
    import pyarrow as pa

    if not runs:
        return {name: pd.DataFrame() for name in TABLES}
    frames = {}
    for name, rows in read_indexed(runs, read_rows):
        frames[name] = rows.to_pandas()
        del rows
        pa.default_memory_pool().release_unused()  # else what one table was unpacked in stays beside the next
    return frames


def read_rows(runs: Sequence[Read]) -> dict[str, pa.Table]:
    """The tables of runs from their folders, checked."""
    with ThreadPoolExecutor(READERS) as pool:
        parts = list(pool.map(lambda run: run.folder.rows(run.manifest), runs))
    tables = stack_rows(parts, runs)
    try:
        check_values(tables)
    except Unfit:  # of which run it is, each by itself says
        for part, run in zip(parts, runs, strict=True):
            run.folder.check_rows(part, run.method, run.seed)
        raise
    return tables


def stack_rows(parts: Sequence[dict[str, pa.Table]], runs: Sequence[Read]) -> dict[str, pa.Table]:
    """The tables of runs below each other, with columns that say whose rows they are."""
    import pyarrow as pa

    tables = {}
    for name in TABLES:
        # joined before pandas sees them: a DataFrame a run would take ten times as long
        rows = pa.concat_tables([part[name] for part in parts], promote_options="permissive").replace_schema_metadata()
        lengths = [part[name].num_rows for part in parts]
        for place, column in enumerate(OWNER):
            told = pa.array(np.repeat(np.array([getattr(run, column) for run in runs], dtype=object), lengths))
            rows = rows.add_column(place, column, told)
        tables[name] = rows
    return tables


def open_named_table(named: dict[str, Any] | None, what: str) -> Table | None:
    """The table that a manifest names, which must be the one that was asked; None where it names none.

    what: the rows, for the error.
    """
    if named is None:
        return None
    if named.get("trained") is not None:
        try:
            return TrainedTable.of_manifest(named)
        except HarnessError:
            raise
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise HarnessError(f"{what} name a trained table whose description is damaged ({error!r:.100})") from None
    table = open_table(named["name"])
    if table.fingerprint == named["fingerprint"]:
        return table
    try:
        return open_table(f"{named['name']}{VERSION}{named['fingerprint']}")
    except HarnessError:
        raise HarnessError(f"{what} were looked up in another version of table {table.name!r}") from None


def select(lookups: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The lookup rows of one measure."""
    chosen = np.ones(len(lookups), dtype=bool)
    for column, value in zip(("dataset", "split", "table_epochs"), measure, strict=True):
        chosen &= (lookups[column] == value).to_numpy(dtype=bool)
    return lookups[chosen]


def average_trials(lookups: pd.DataFrame, keys: list[str], scale: Scale = ACCURACY) -> pd.DataFrame:
    """Mean accuracy (or what the scale is of) over trials; where the source itself gives a mean, that."""
    return select_means(lookups).groupby(keys, sort=False)[scale.column].mean().reset_index()


def select_means(lookups: pd.DataFrame) -> pd.DataFrame:
    """The rows whose mean over trials is the accuracy of a measure: the source's own mean alone, where it gives one,
    else every seed's. Another mean of the source ("mean-...") is no trial and never counts."""
    own = lookups[lookups["trial"].eq("mean")]
    return own if len(own) else lookups[lookups["trial"].str.isdigit()]
