"""A whole table as a data frame, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.tables.table import Table

if TYPE_CHECKING:
    import pandas as pd


def to_frame(table: Table) -> pd.DataFrame:
    """What a table holds at the end of training, one row an architecture; missing is NaN.

    The frame's index is the published one, in its order, where the space has one. `architecture` is the encoding
    (without a space: the key). Then there is a column for each measure and trial, accuracy in %, named
    "dataset/split@epochs:trial" ("cifar10/ori-test@200:mean"), and one for each cost, named "dataset:name", or
    "dataset@epochs:name" where the source measured each schedule's networks.
    """
    import pandas as pd

    rows = range(len(table))
    content: dict[str, Any] = {"architecture": [table.encoding(row) for row in rows]}
    content |= {str(c): table.row_values(c.measure, c.trial) for c in table.columns}
    content |= {str(cost): values for cost, values in table.all_costs}
    indices = [table.index(row) for row in rows]
    numbered = bool(indices) and None not in indices
    return pd.DataFrame(content, index=pd.Index(indices, name="index") if numbered else None).sort_index()
