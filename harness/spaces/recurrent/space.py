"""The recurrent space of DARTS (Liu, Simonyan & Yang, ICLR 2019, section 3.1.2): cells of language models.

There is no table of their perplexities: a cell that a search finds is trained.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness.core.errors import HarnessError, suggest_names
from harness.spaces.base import WORDS, Architecture, Choices, Networks, Preset, Rows, Space
from harness.spaces.blocks.weights import compute_mixing_weights
from harness.spaces.recurrent.genotype import NONE, OPERATIONS, Cell, find_isomorph, find_row, list_edges, parse, write


class RecurrentPreset(Preset):
    """The arithmetic of a search for recurrent cells.

    last_word_untrained: the input embedding of the vocabulary's last word gets no gradient (SmoothDARTS' code, which
    takes that word for padding; DARTS' own code, of PyTorch 0.3, has no such word).
    none_takes_mass: `none` has a mixing weight and gives nothing, so that it shrinks what the others give (published);
    or the weights of the others are divided by their sum (fixed).
    """

    last_word_untrained: bool = False
    none_takes_mass: bool = False


class RecurrentSpace(Space):
    """Cells of `nodes` nodes. Architecture tensor: [nodes (nodes + 1) / 2, 5], row i (i + 1) / 2 + j for the edge of
    state j to node i.

    The published decoding: a node reads the state whose edge has the largest mixing weight, by that operation; `none`
    takes part in the softmax, not in the comparison. The canonical key, which is also the table key, is that of the
    cells whose nodes are numbered otherwise.
    """

    nodes: ClassVar[int]
    operations = OPERATIONS
    zero = NONE
    parameter_free = (NONE,)
    default_cells = 1
    has = (WORDS,)
    source = "Liu, Simonyan & Yang, DARTS, ICLR 2019 (arXiv 1806.09055)"
    presets: ClassVar = {
        "official": RecurrentPreset(
            finite_difference_moves_bn=True,
            virtual_clip="uncapped",
            tied_weights_stay=True,
            validation_jumps=True,
            evaluation_counts_all_rows=True,
            last_word_untrained=True,
            none_takes_mass=True,
        ),
        "fixed": RecurrentPreset(virtual_clip="capped", ascends_in_eval_mode=False),
    }

    trainings: ClassVar = {
        "ptb": {},
        "wikitext-2": {"channels": 700, "weight_decay": 5e-7, "hidden": 0.15},
    }

    def __init_subclass__(cls, **kwargs: Any) -> None:
        if "nodes" in vars(cls):
            pairs = list_edges(cls.nodes)
            cls.tensors = (
                Choices(
                    "operations",
                    (OPERATIONS,) * len(pairs),
                    tuple(f"{node + 1}<-{state}" for state, node in pairs),
                    nodes=tuple(node + 1 for _, node in pairs),
                    keeps=1,
                ),
            )
        super().__init_subclass__(**kwargs)

    def networks(self) -> Networks:
        from harness.spaces.recurrent.derived import DerivedLanguageModel
        from harness.spaces.recurrent.fast import FastRecurrentSupernet
        from harness.spaces.recurrent.supernet import RecurrentSupernet

        return Networks(
            partial(RecurrentSupernet, nodes=self.nodes),
            partial(FastRecurrentSupernet, nodes=self.nodes),
            derived=partial(DerivedLanguageModel, nodes=self.nodes),
        )

    def derive(self, alphas: Rows) -> Architecture:
        return self.strongest([compute_steady_weights(rows) for rows in self.check_shapes(alphas)])

    def strongest(self, strengths: Rows) -> Architecture:
        (rows,) = self.check_shapes(strengths)
        strength = rows.copy()
        strength[:, OPERATIONS.index(NONE)] = -np.inf
        cell = []
        for node in range(self.nodes):
            own = strength[find_row(0, node) : find_row(0, node + 1)]
            state = int(own.max(axis=1).argmax())
            cell.append((OPERATIONS[int(own[state].argmax())], state))
        return self.architecture(tuple(cell))

    def architecture(self, cell: Cell) -> Architecture:
        return Architecture(write(cell), write(find_isomorph(cell)), tuple(operation for operation, _ in cell))

    def parse(self, encoding: str) -> Architecture:
        cell = parse(encoding, self.nodes)
        for node, (operation, _) in enumerate(cell):
            if operation not in OPERATIONS[1:]:
                raise HarnessError(
                    f"{self.name} has no operation {operation!r} for node {node} (in {encoding!r}): "
                    f"{suggest_names(operation, OPERATIONS[1:])}"
                )
        return self.architecture(cell)

    def mix(self, architecture: Architecture) -> list[NDArray[np.float64]]:
        found = np.zeros(self.alpha_shapes[0])
        for node, (operation, state) in enumerate(parse(architecture.encoding, self.nodes)):
            found[find_row(state, node), OPERATIONS.index(operation)] = 1.0
        return [found]

    def graph(self, architecture: Architecture) -> list[tuple[int, int, str]]:
        cell = parse(architecture.encoding, self.nodes)
        taken = [(state, node + 1, operation) for node, (operation, state) in enumerate(cell)]
        return taken + [(node + 1, self.nodes + 1, "") for node in range(self.nodes)]

    def canonical_key(self, architecture: Architecture) -> str:
        return architecture.key

    def random(self, rng: np.random.Generator) -> Architecture:
        drawn = (
            (OPERATIONS[1 + rng.integers(len(OPERATIONS) - 1)], int(rng.integers(node + 1)))
            for node in range(self.nodes)
        )
        return self.architecture(tuple(drawn))

    def neighbors(self, architecture: Architecture) -> list[Architecture]:
        """The cells in which one node has another operation, reads another state, or both."""
        cell, found = parse(architecture.encoding, self.nodes), []
        for node, own in enumerate(cell):
            others = [(op, state) for state in range(node + 1) for op in OPERATIONS[1:]]
            found += [self.architecture((*cell[:node], e, *cell[node + 1 :])) for e in others if e != own]
        return found

    @classmethod
    def of_record(cls, recorded: str, arrays: Mapping[str, Any]) -> Space | None:
        """Records of "darts_rnn"; how many nodes follows from their logits, where there are any."""
        if recorded != "darts_rnn":
            return super().of_record(recorded, arrays)
        alpha = next((value for key, value in arrays.items() if key.endswith("alpha/0")), None)
        return cls() if alpha is None else make_space_of_rows(len(alpha))()

    def recorded_decoding(self, case: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        space = make_space_of_rows(len(case["alphas"][0]))()
        derived = space.derive([np.asarray(rows, dtype=np.float64) for rows in case["alphas"]])
        put_out = [*range(1, space.nodes + 1)]
        return {
            "architectures": (derived.encoding, space.recorded_encoding(json.dumps(case["recurrent"]))),
            "states that are put out": (put_out, list(case["concat"])),
        }

    def recorded_encoding(self, genotype: str) -> str:
        """From the JSON text of [[operation, state], ...]."""
        return write(tuple((str(operation), int(state)) for operation, state in json.loads(genotype)))


class PennTreebank(RecurrentSpace):
    """Cells of eight nodes, as they were searched and trained on Penn Treebank."""

    name = "recurrent.ptb"
    nodes = 8


def compute_steady_weights(rows: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Mixing weights of logits. Rows of the same numbers in another order have the same weights to the last bit, as a
    sum in that order would not give: they tie, and the first of them is taken."""
    order = rows.argsort(axis=1, kind="stable")
    found = np.empty_like(rows)
    np.put_along_axis(found, order, compute_mixing_weights(np.take_along_axis(rows, order, axis=1)), axis=1)
    return found


@cache
def make_space_of_nodes(nodes: int) -> type[RecurrentSpace]:
    """The space of cells of so many nodes; no registry knows it unless it is the published one."""
    if nodes == PennTreebank.nodes:
        return PennTreebank
    return type(f"Recurrent{nodes}", (RecurrentSpace,), {"nodes": nodes, "name": f"recurrent of {nodes} nodes"})


def make_space_of_rows(rows: int) -> type[RecurrentSpace]:
    """The space whose architecture tensor has so many rows."""
    nodes = next((n for n in range(1, rows + 1) if find_row(0, n) >= rows), 0)
    if find_row(0, nodes) != rows:
        raise HarnessError(f"no recurrent cell has {rows} edges: n nodes have n (n + 1) / 2")
    return make_space_of_nodes(nodes)
