"""Searches over the table alone: what they propose, and that they find more than chance does."""

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.streams import Streams
from harness.search.searchers.bohb import BOHB, build_from_choices, list_choices, to_choices
from harness.search.searchers.evolution import RegularizedEvolution
from harness.search.searchers.hyperband import Hyperband
from harness.search.searchers.local_search import LocalSearch
from harness.search.searchers.random_search import RandomSearcher
from harness.search.searchers.reinforce import Reinforce, score
from harness.search.searchers.table_search import TableSearch, TableSearcher
from harness.spaces.base import Space
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1
from harness.spaces.nasbench201.space import NASBench201
from harness.tables.catalog import open_table
from harness.tables.measure import Column, Measure
from harness.tables.table import Table
from harness.tables.write import write_table
from harness.testing.contracts import pass_through_file

TABLES = {"nasbench201.digits": NASBench201(), "nasbench1shot1.s1.digits": NASBench1Shot1S1()}
SEARCHERS = (RandomSearcher(), RegularizedEvolution(), LocalSearch(), Reinforce(), Hyperband(), BOHB())


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
    reached, scores = 0, []
    for _ in range(60):
        search.train_epoch(0, lambda: None)
        if search.reached > reached:
            reached, scores = search.reached, []  # judged by the longest training alone
        scores.append(search.score)
    assert scores == sorted(scores)
    assert search.table.lookup(search.derive(), search.measure) == scores[-1]


@pytest.mark.parametrize("searcher", SEARCHERS, ids=lambda s: s.name)
def test_resumed_is_uninterrupted(searcher: TableSearcher) -> None:
    whole, first, second = (start(searcher) for _ in range(3))
    run(whole, 40)
    run(first, 15)
    second.load_state_dict(pass_through_file(first.state_dict()))
    run(second, 25)
    assert second.state_dict() == whole.state_dict()


def test_evolution_mutates_and_forgets_the_oldest() -> None:
    search = start(RegularizedEvolution(population=5, sample=2))
    run(search, 4)
    for _ in range(20):
        before = list(search.memory["population"])
        search.train_epoch(0, lambda: None)
        after = search.memory["population"]
        assert len(after) == 5
        assert after[:-1] == before[1:]
        parents = [parent for parent, _ in before if after[-1][0] in search.space.neighbors(parent)]
        assert parents


def test_local_search_moves_to_the_best_neighbor_or_begins_anew() -> None:
    search = start(LocalSearch())
    moves = 0
    for _ in range(400):
        point, score = search.memory["point"][0] if search.memory["point"] else (None, 0.0)
        search.train_epoch(0, lambda: None)
        if point is None or search.memory["asked"]:
            continue
        values = [search.table.lookup(n, search.measure) for n in search.space.neighbors(point)]
        if max(values) > score:
            assert search.memory["point"][0][1] == max(values)
            moves += 1
        else:
            assert search.memory["point"] == []
    assert moves > 3


def test_they_find_more_than_random_search() -> None:
    """Mean of 20 seeds after 400 evaluations."""
    guided = (s for s in SEARCHERS if s.name not in ("hyperband", "bohb"))
    found = {s.name: np.mean([run(start(s, seed=seed), 400)[-1] for seed in range(20)]) for s in guided}
    assert found["reinforce"] > found["random-search"]
    assert found["regularized-evolution"] > found["random-search"]
    assert found["local-search"] > found["random-search"]


# -- the simulated clock -------------------------------------------------------------------------------------------

SHORT, LONG = Measure("d", "x-valid", 12), Measure("d", "x-valid", 200)


@pytest.fixture(scope="module")
def timed(tmp_path_factory: pytest.TempPathFactory) -> Table:
    """All of NAS-Bench-201 with accuracy and seconds of two schedules, made up: 10 s an epoch, 1 s an evaluation."""
    keys = [a.key for a in TABLES["nasbench201.digits"].enumerate()]
    rng = np.random.default_rng(0)
    final = rng.uniform(10, 90, len(keys))
    full = np.full(len(keys), 1.0)
    curve = final[:, None] * np.linspace(0.5, 1, 12)
    return write_table(
        tmp_path_factory.mktemp("timed") / "timed",
        space="nasbench201",
        keys=keys,
        accuracy={
            Column("d", "x-valid", 12, 0): final,
            Column("d", "x-valid", 200, 0): final + 1,
            Column("d", "x-test", 200, 0): final + 2,
        },
        curves={Column("d", "x-valid", 12, 0): curve},
        more={
            "seconds": {
                Column("d", "train", 12, 0): 120 * full,
                Column("d", "train", 200, 0): 2000 * full,
                Column("d", "x-valid", 12, 0): full,
                Column("d", "x-valid", 200, 0): full,
            }
        },
        validation=LONG,
        test=Measure("d", "x-test", 200),
        about={"title": "made up"},
    )


def on_clock(searcher: TableSearcher, table: Table, epochs: int) -> TableSearch:
    search = searcher.start(TABLES["nasbench201.digits"], table, Streams(0))
    run(search, epochs)
    return search


def test_an_evaluation_costs_its_training_and_one_pass(timed: Table) -> None:
    search = on_clock(RandomSearcher(schedule=12), timed, 9)
    assert (search.spent_s, search.spent_epochs) == (10 * 121, 10 * 12)
    search = on_clock(RandomSearcher(), timed, 9)
    assert (search.spent_s, search.spent_epochs) == (10 * 2001, 10 * 200)


@pytest.mark.parametrize("searcher", SEARCHERS, ids=lambda s: s.name)
def test_a_budget_is_never_overrun_and_is_used(searcher: TableSearcher, timed: Table) -> None:
    search = on_clock(searcher.model_copy(update={"schedule": 12, "budget_s": 12_000}), timed, 1_500)
    assert search.over
    assert 12_000 - 121 < search.spent_s <= 12_000
    before = search.state_dict()
    run(search, 5)
    assert search.state_dict()["incumbent"] == before["incumbent"]
    assert search.spent_epochs == before["spent"][1]
    search = on_clock(searcher.model_copy(update={"schedule": 12, "budget_epochs": 600}), timed, 300)
    assert 588 < search.spent_epochs <= 600


def test_the_two_conventions_of_hyperband_charge_differently(timed: Table) -> None:
    """What NAS-Bench-201's script does: a rung of any length gives, and pays for, the whole schedule."""
    rungs = on_clock(Hyperband(schedule=12), timed, 12)
    whole = on_clock(Hyperband(convention="nasbench201"), timed, 12)
    assert rungs.spent_epochs == 9 * 1 + 3 * 4 + 1 * 12
    assert rungs.spent_s == 9 * 11 + 3 * 41 + 121
    assert (whole.spent_s, whole.spent_epochs) == (13 * 2001, 13 * 200)


def test_brackets_of_hyperband_halve(timed: Table) -> None:
    """eta 3 on 12 epochs: 9 at 1, 3 at 4, 1 at 12; then 3 at 4, 1 at 12; then 3 at 12; then again. The promoted are
    the best of their rung, and the incumbent is one of those trained to the end."""
    searcher = Hyperband(schedule=12)
    asked: list[int] = []
    search = searcher.start(TABLES["nasbench201.digits"], timed, Streams(1))
    asked.append(1)
    for _ in range(19):
        before = search.spent_epochs
        search.train_epoch(0, lambda: None)
        asked.append(search.spent_epochs - before)
    assert asked == [1] * 9 + [4] * 3 + [12] + [4] * 3 + [12] + [12] * 3
    assert search.reached == 12
    search = searcher.start(TABLES["nasbench201.digits"], timed, Streams(1))
    run(search, 8)
    first = sorted(search.memory["rung"], key=lambda s: -s[1])
    run(search, 3)
    assert [a for a, _ in search.memory["rung"]] == [a for a, _ in first[:3]]


def test_hyperband_needs_a_curve(timed: Table) -> None:
    with pytest.raises(HarnessError, match="has no training curve of d/x-valid@200"):
        on_clock(Hyperband(), timed, 1)


def test_impossible_budgets_are_explained(timed: Table) -> None:
    space, digits = TABLES["nasbench201.digits"], open_table("nasbench201.digits")
    with pytest.raises(
        HarnessError, match="has no seconds of digits100/x-valid@4: random-search can be given budget_ep"
    ):
        RandomSearcher(budget_s=100).start(space, digits, Streams(0))
    with pytest.raises(HarnessError, match="does not pay for a single evaluation"):
        RandomSearcher(budget_epochs=3).start(space, digits, Streams(0))
    with pytest.raises(HarnessError, match="has no digits100/x-valid@12"):
        RandomSearcher(schedule=12).start(space, digits, Streams(0))


# -- policies and models -------------------------------------------------------------------------------------------


def test_score_is_the_gradient_of_the_log_probability() -> None:
    """Against automatic differentiation of Plackett and Luce's formula; it sums to zero over what may be drawn."""
    rng = np.random.default_rng(0)
    for picks in (1, 2, 3):
        logits = torch.tensor(rng.normal(size=5), requires_grad=True)
        taken = rng.permutation(5)[:picks]
        terms = [
            logits[taken[i]] - logits[[j for j in range(5) if j not in taken[:i]]].logsumexp(0) for i in range(picks)
        ]
        (expected,) = torch.autograd.grad(torch.stack(terms).sum(), logits)
        ours = score(logits.detach().numpy(), taken)
        assert np.abs(ours - expected.numpy()).max() < 1e-12
        assert abs(ours.sum()) < 1e-12


def test_policy_of_reinforce_settles_on_what_it_is_paid_for(timed: Table) -> None:
    """Late draws are better than early ones, and the policy's mass is no longer even."""
    digits = open_table("nasbench201.digits")
    gains = []
    for seed in range(5):
        search = Reinforce(rate=0.1).start(TABLES["nasbench201.digits"], digits, Streams(seed))
        scores = []
        for _ in range(300):
            search.train_epoch(0, lambda: None)
            candidate, at = search.searcher.next(search)
            scores.append(digits.lookup(candidate, search.measure, at=at))
        gains.append(np.mean(scores[-50:]) - np.mean(scores[:50]))
    assert min(gains) > 5


@pytest.mark.parametrize("space", TABLES.values(), ids=lambda s: s.name)
def test_choices_describe_an_architecture(space: Space) -> None:
    options = list_choices(space)
    for seed in range(20):
        architecture = space.random(np.random.default_rng(seed))
        taken = {name: options[name][i] for name, i in to_choices(space, architecture, options).items()}
        assert build_from_choices(space, taken) == architecture


def test_bohb_draws_better_candidates_than_chance() -> None:
    """Mean accuracy, at the end of training, of what is proposed after 200 evaluations; 4 seeds."""
    digits, space = open_table("nasbench201.digits"), TABLES["nasbench201.digits"]
    means = {}
    for searcher in (BOHB(), Hyperband()):
        drawn = []
        for seed in range(4):
            search = searcher.start(space, digits, Streams(seed))
            run(search, 200)
            drawn += [digits.lookup(searcher.propose(search), search.measure) for _ in range(10)]
        means[searcher.name] = np.mean(drawn)
    assert means["bohb"] > means["hyperband"] + 5
