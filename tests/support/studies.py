"""Small studies that several tests run."""

from __future__ import annotations

from pathlib import Path

UNTIL_DECIDED = """
name = "asks"
space = "nasbench201"
dataset = "digits100"
table = "nasbench201.digits"
seeds = "0..24"
epochs = 25
judge = "last"
[methods]
random-search = {random-search = {evaluations_per_epoch = 4}}
one = {method = "random-search", random-search = {budget_epochs = 4}}
[comparison]
until_decided = true
"""


def write_until_decided(folder: Path) -> Path:
    """A study of searches of the table: the short one asks for one architecture alone, and ends far above."""
    path = folder / "asks.toml"
    path.write_text(UNTIL_DECIDED)
    return path
