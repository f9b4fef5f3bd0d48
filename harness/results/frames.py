"""Rows of finished runs: read from their folders and stacked, and selected."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from harness.results.index import WHOLE, Read, TablePart, read_indexed
from harness.runs.schema import OWNER, TABLES, Unfit, check_values
from harness.tables.measure import ACCURACY, Measure, Scale

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


RUN_EPOCH = (*OWNER, "epoch")
"""Columns of every table that say whose row it is, and of when."""
MEASURE = ("dataset", "split", "table_epochs")
"""Columns of lookups that tell the measure."""
READERS = 8
"""Files read at a time: on a file server each is a wait of its own."""
LOOKED_AT = (*RUN_EPOCH, "architecture")
"""Columns of epochs that endpoints are computed from, and those that count operations or are the supernet's."""
APART = ("probe_s", "lookup_s")
"""Seconds in a run's wall_s that are no part of its search."""
SECONDS = ("wall_s", *APART, "simulated_s")
"""Columns of timing that a search's seconds are computed from."""


class LeftOut(NamedTuple):
    """A run that is not compared. why: what is said of it after its method and seed."""

    method: str
    seed: int
    why: str


def find_looked_at(columns: Iterable[str]) -> list[str]:
    """The columns of epochs that endpoints are computed from."""
    return [c for c in columns if c in LOOKED_AT or c.startswith(("count_", "supernet_"))]


def compute_search_seconds(timing: pd.DataFrame) -> pd.Series[float]:
    """Wall seconds of the search alone, since its run began; with probes and lookups in rows that do not know them,
    which older versions wrote."""
    apart = [c for c in APART if c in timing]
    return timing["wall_s"] - timing[apart].fillna(0).sum(axis=1)


@dataclass(frozen=True)
class EndpointPart(TablePart):
    """The part of runs that endpoints in one measure are computed from: its lookups alone, and no logits, which are
    most of what 10,000 runs hold."""

    measure: Measure

    def names(self, table: str, columns: Sequence[str]) -> list[str]:
        """Which of a table's columns."""
        if table == "epochs":
            return find_looked_at(columns)
        return [c for c in columns if table != "timing" or c in (*RUN_EPOCH, *SECONDS)]

    def rows(self, table: str, rows: pa.Table) -> pa.Table:
        """Which of a table's rows."""
        import pyarrow.compute as pc

        if table != "lookups":
            return rows
        chosen = [pc.equal(rows[c], value) for c, value in zip(MEASURE, self.measure, strict=True)]
        kept = rows.filter(reduce(pc.and_, chosen))
        for column in ("dataset", "split", "trial"):  # nearly the same text in every row
            kept = kept.set_column(kept.column_names.index(column), column, kept[column].dictionary_encode())
        return kept


def stack_tables(runs: Sequence[Read], part: TablePart = WHOLE) -> dict[str, Any]:
    """This part of the tables of finished runs of a study, each run's below the one before, with its `method` and
    `seed`."""
    import pandas as pd
    import pyarrow as pa

    if not runs:
        return {name: pd.DataFrame() for name in TABLES}
    frames = {}
    for name, rows in read_indexed(runs, read_rows, part):
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


def select_measure(lookups: pd.DataFrame, measure: Measure) -> pd.DataFrame:
    """The lookup rows of one measure."""
    chosen = np.ones(len(lookups), dtype=bool)
    for column, value in zip(MEASURE, measure, strict=True):
        chosen &= (lookups[column] == value).to_numpy(dtype=bool)
    return lookups if chosen.all() else lookups[chosen]


def average_trials(lookups: pd.DataFrame, keys: list[str], scale: Scale = ACCURACY) -> pd.DataFrame:
    """Mean accuracy (or what the scale is of) over trials; where the source itself gives a mean, that."""
    return select_means(lookups).groupby(keys, sort=False)[scale.column].mean().reset_index()


def select_means(lookups: pd.DataFrame) -> pd.DataFrame:
    """The rows whose mean over trials is the accuracy of a measure: the source's own mean alone, where it gives one,
    else every seed's. Another mean of the source ("mean-...") is no trial and never counts."""
    own = lookups["trial"].eq("mean")
    chosen = own if own.any() else lookups["trial"].str.isdigit()
    return lookups if chosen.all() else lookups[chosen]
