"""How records of the part `fairdarts` are replayed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.search.searchers.fairdarts import parse_sigmoids
from harness.testing.conformance.recorded import Arrays, Meta, Recorded


def read_recorded_fields(meta: Meta) -> dict[str, dict[str, Any]]:
    fields = {"strength": meta["aux_loss_weight"], "kind": meta["sep_loss"].upper()}
    return {"fairdarts": fields | {"levels": "one" if meta["single_level"] else "two"}}


def read_recorded_terms(search: Any, arrays: Arrays, prefix: str) -> dict[str, tuple[Any, Any]]:
    """The zero-one term, where the logits are still those that it was recorded at."""
    own, key = search.searcher, f"{prefix}/loss_zero_one"
    if key not in arrays or (prefix != "forward" and own.levels == "one"):
        return {}
    return {"zero-one terms": (own.zero_one(search.alphas) / own.strength, arrays[key])}


def read_recorded_cells(search: Any, genotype: str, meta: Meta) -> bool:
    """Whether the published parsing of the logits gives the recorded cells."""
    told, threshold = json.loads(genotype), meta["op_threshold"]
    cells = zip(search.alphas, search.space.tensors, told.values(), strict=False)
    return all(
        parse_sigmoids(alpha.detach().sigmoid(), tensor.options[0], threshold, meta["parse_method"])
        == list(map(tuple, cell))
        for alpha, tensor, cell in cells
    )


RECORDS: Mapping[str, Recorded] = {
    "fairdarts": Recorded(
        "fairdarts", read_recorded_fields, quantities=read_recorded_terms, genotype=read_recorded_cells
    )
}
"""By the name of the method in its records."""
