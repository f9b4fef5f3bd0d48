"""Searches over the table alone: what they propose, and that they find more than chance does."""

import copy

import numpy as np
import pytest

from harness.searchers.evolution import RegularisedEvolution
from harness.searchers.local_search import LocalSearch
from harness.searchers.random_search import RandomSearch
from harness.searchers.table_search import TableSearch, TableSearcher
from harness.spaces.nasbench1shot1 import S1
from harness.spaces.nasbench201 import NASBench201
from harness.streams import Streams
from harness.tables.catalog import open_table

TABLES = {"nasbench201.digits": NASBench201(), "nasbench1shot1.s1.digits": S1()}
SEARCHERS = (RandomSearch(), RegularisedEvolution(), LocalSearch())


def start(searcher: TableSearcher, name: str = "nasbench201.digits", seed: int = 0) -> TableSearch:
    return searcher.start(TABLES[name], open_table(name), Streams(seed))


def run(search: TableSearch, epochs: int) -> list[float]:
    """The incumbent's validation accuracy after every evaluation."""
    scores = [search.score]
    for epoch in range(epochs):
        search.train_epoch(epoch, lambda: None)
        scores.append(search.score)
    return scores


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("searcher", SEARCHERS, ids=lambda s: s.name)
def test_incumbent_only_improves_and_is_the_table_s(searcher: TableSearcher, name: str) -> None:
    search = start(searcher, name)
    scores = run(search, 60)
    assert scores == sorted(scores)
    assert search.table.lookup(search.derive(), *search.validation) == scores[-1]


@pytest.mark.parametrize("searcher", SEARCHERS, ids=lambda s: s.name)
def test_resumed_is_uninterrupted(searcher: TableSearcher) -> None:
    whole, first, second = (start(searcher) for _ in range(3))
    run(whole, 40)
    run(first, 15)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    run(second, 25)
    assert second.state_dict() == whole.state_dict()


def test_evolution_mutates_and_forgets_the_oldest() -> None:
    search = start(RegularisedEvolution(population=5, sample=2))
    run(search, 4)
    for _ in range(20):
        before = list(search.memory["population"])
        search.train_epoch(0, lambda: None)
        after = search.memory["population"]
        assert len(after) == 5
        assert after[:-1] == before[1:]
        parents = [parent for parent, _ in before if after[-1][0] in search.space.neighbours(parent)]
        assert parents


def test_local_search_moves_to_the_best_neighbour_or_begins_anew() -> None:
    search = start(LocalSearch())
    moves = 0
    for _ in range(400):
        point, score = search.memory["point"][0] if search.memory["point"] else (None, 0.0)
        search.train_epoch(0, lambda: None)
        if point is None or search.memory["asked"]:
            continue
        values = [search.table.lookup(n, *search.validation) for n in search.space.neighbours(point)]
        if max(values) > score:
            assert search.memory["point"][0][1] == max(values)
            moves += 1
        else:
            assert search.memory["point"] == []
    assert moves > 3


def test_they_find_more_than_random_search() -> None:
    """Mean of 20 seeds after 400 evaluations."""
    found = {s.name: np.mean([run(start(s, seed=seed), 400)[-1] for seed in range(20)]) for s in SEARCHERS}
    assert found["regularised-evolution"] > found["random-search"]
    assert found["local-search"] > found["random-search"]
