"""The page of all claims, docs/claims.md."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from harness.core.markup import render_markdown_table
from harness.verdicts.claims.check import Checked

HEAD = """# Claims

What papers say, and what the table and the committed results say to it. Made by `harness claims write`; do not edit.

**Reproduced** and **not reproduced** are said where the source is quoted and the runs were made as it says. Everything
else **cannot be tested**, with the reason and with what was found. What stands in no source that could be quoted is
**a question**, in a list of its own at the end. `n`: runs, or cells of the table. The table's noise is the standard
deviation of one network trained again, in percentage points: over its trials, or, where it has only means, over cells
that are the same network. The claims, with their sources and protocols, are `benchmarks/published/*.claims.toml`.
"""


def render_page(checked: Sequence[Checked]) -> str:
    """Markdown: how many of each verdict, then a table a file of claims, those without a search first; then what is
    asked and stands in no source."""
    counts = Counter(c.verdict.state for c in checked)
    told = ", ".join(f"{counts[s]} {s}" for s in ("reproduced", "not reproduced", "cannot be tested"))
    parts = [HEAD, f"{len(checked) - counts['a question']} claims: {told}. {counts['a question']} questions.\n"]
    parts += render_sections([c for c in checked if c.named.claim.quoted])
    parts.append("# Questions\n\nNobody was quoted for these: recollections of figures, and questions of our own.\n")
    return "\n".join(parts + render_sections([c for c in checked if not c.named.claim.quoted]))


def render_sections(checked: Sequence[Checked]) -> list[str]:
    """The tables of the page, one for each file of claims."""
    groups: dict[str, list[Checked]] = {}
    for c in checked:
        groups.setdefault(c.named.group, []).append(c)
    parts = []
    for group, members in groups.items():
        parts.append(f"## {group}\n\n{members[0].named.file.paper}\n")
        parts.append(render_markdown_table([render_line(c) for c in members]) + "\n")
        sources = dict.fromkeys(c.named.claim.source for c in members)
        parts.append("Sources: " + "; ".join(sources) + ".\n")
    return parts


def render_line(checked: Checked) -> dict[str, Any]:
    """A claim as a line of its table."""
    row = checked.row()
    return {
        "claim": checked.named.claim.says,
        **{column: row[column] for column in ("published", "found", "n", "interval")},
        "noise": row["table's noise"],
        "verdict": f"**{row['verdict']}**",
        "why": row["why"],
    }
