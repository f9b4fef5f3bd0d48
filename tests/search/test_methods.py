"""Every method of the registry: it searches, resumes, and is DARTS at zero strength."""

import functools
import itertools
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.registry import Registry
from harness.measures.alignment import compute_layer_alignment
from harness.search.loop import SupernetSearch, compute_cross_entropy
from harness.search.methods import Method, build_method, list_methods
from harness.search.regularizers.base import DROPPED, REGULARIZERS, Regularizer
from harness.search.regularizers.random_smoothing import RandomSmoothing
from harness.search.regularizers.sequential_decisions import compute_scores
from harness.search.searchers.base import SEARCHERS, SupernetSearcher
from harness.spaces.base import WORDS
from harness.spaces.blocks.mix import keep_buffers
from harness.spaces.darts.space import DARTSS3
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1
from harness.spaces.nasbench201.fast import FastNASBench201Supernet as Net
from harness.spaces.nasbench201.space import NASBench201
from harness.testing.contracts import MethodContract, fits_space, make_small_search, make_small_step, state_of
from tests.conftest import often

SPACE_LIST = (NASBench201(), NASBench1Shot1S1())
COMBINED = (
    "gdas + amended-darts",
    "darts-2nd + drnas + sdarts-adv",
    "snas + idarts",
    "a2m + drnas",
    "pc-darts + sdarts-rs",
    "pc-darts + sdarts-adv",
    "drnas + sdarts-rs",
    "beta-darts + darts-minus + cutout",
)
SEARCHES = [n for n in (*list_methods(), *COMBINED) if isinstance(build_method(n).searcher, SupernetSearcher)]
SEARCHES = [n for n in SEARCHES if fits_space(build_method(n), SPACE_LIST[0])]
ALIASES = {name for name, entry in list_methods().items() if entry.alias}
EVERYWHERE = ("darts", "sdarts-rs", "pc-darts", "gdas-1shot1", "drnas", "gaea", "sgas")
"""Looked at on every space each time: of each kind of relaxation one."""


CHEAPER = {name: {"shapley": {"samples": 1}} for name in ("shapley", "shapley-nas")}
"""Fields with which a method costs less, and is the same."""


class TestEveryMethod(MethodContract):
    @pytest.fixture(
        autouse=True,
        params=often(
            [(n, s) for n in SEARCHES for s in SPACE_LIST],
            lambda p: p[0] in EVERYWHERE or (p[1] is SPACE_LIST[0] and p[0] not in ALIASES),
        ),
        ids=lambda p: f"{p[0]}-{p[1].name}",
    )
    def chosen(self, request: pytest.FixtureRequest) -> None:
        self.method, self.space = request.param

    def search(self) -> SupernetSearch:
        return make_small_search(build_method(self.method).override(CHEAPER.get(self.method, {})), self.space)


def states(chosen: Method, space: Any) -> list[torch.Tensor]:
    search = make_small_search(chosen, space)
    for epoch in range(3):
        search.train_epoch(epoch, lambda: None)
    return state_of(search)


@functools.cache
def states_of_darts(space: Any) -> list[torch.Tensor]:
    return states(build_method("darts"), space)


NEUTRAL = [(r, n) for r in (REGULARIZERS, SEARCHERS) for n, c in r.classes.items() if hasattr(c, "neutral")]
OF_WORDS = {n for n, c in REGULARIZERS.classes.items() if WORDS in c.asks}
"""Regularizers of language models, which have tests of their own (tests/spaces/recurrent)."""


@pytest.mark.parametrize(("kind", "name"), [pair for pair in NEUTRAL if pair[1] not in OF_WORDS])
def test_zero_strength_is_darts_bit_for_bit(kind: Registry, name: str) -> None:
    part = kind.build(name, kind.find(name).neutral)
    darts = build_method("darts").searcher
    neutral = Method(darts, (part,)) if kind is REGULARIZERS else Method(part, ())
    for space in SPACE_LIST:
        for ours, theirs in zip(states(neutral, space), states_of_darts(space), strict=True):
            assert torch.equal(ours, theirs)


def test_every_regularizer_says_where_it_is_neutral() -> None:
    assert {n for k, n in NEUTRAL if k is REGULARIZERS} == set(REGULARIZERS.classes)


TESTED_BELOW = ("eigenvalue-stopping", "adaptive-decay", "skip-stopping", "operation-stopping", *OF_WORDS)
SELECTING = ("perturbation-selection", "sampled-selection")


def test_full_strength_is_not_darts() -> None:
    """No regularizer is without effect."""
    plain = states_of_darts(SPACE_LIST[0])
    for name, kind in REGULARIZERS.classes.items():
        if name in SELECTING:
            assert kind.select is not Regularizer.select
            continue
        if name in TESTED_BELOW:
            continue
        settings: dict[str, Any] = {
            "alpha-warmup": {"length": 1},
            "progressive-pruning": {"at": (1,), "kept": (2,)},
            "shapley": {"samples": 1},
        }.get(name, {})
        ours = states(Method(build_method("darts").searcher, (kind(**settings),)), SPACE_LIST[0])
        same = [a.shape == b.shape and torch.equal(a, b) for a, b in zip(ours, plain, strict=True)]
        assert not all(same), name


def test_every_part_has_a_status_and_a_paper() -> None:
    for kind in (REGULARIZERS, SEARCHERS):
        for name, cls in kind.classes.items():
            assert cls.status in ("conforms", "specified", "adapted"), name
            assert cls.paper, name


def test_channels_that_cannot_be_divided_are_explained() -> None:
    chosen = build_method("pc-darts").override({"partial-channels": {"k": 3}})
    with pytest.raises(HarnessError, match="4 channels cannot be divided into 3 parts"):
        make_small_search(chosen, SPACE_LIST[0])


def test_control_of_ms_darts_has_its_variance() -> None:
    """Two rounds of means of three points: sqrt(2/3) of the noise (weights nearly equal)."""
    (control,), (ms,) = (build_method(n).regularizers for n in ("ms-darts-control", "ms-darts"))
    assert isinstance(control, RandomSmoothing)
    assert control.epsilon == pytest.approx(ms.epsilon * (2 / 3) ** 0.5, abs=1e-3)


def stopping_search(name: str, fields: dict[str, Any], epochs: int) -> list[list[torch.Tensor]]:
    """The logits after every epoch, and the search at the end."""
    search = make_small_search(
        Method(build_method("darts").searcher, (REGULARIZERS.build(name, fields),)), SPACE_LIST[0]
    )
    search.alpha_optimizer.param_groups[0]["lr"] = 0.05
    logits = []
    for epoch in range(epochs):
        search.train_epoch(epoch, lambda: None)
        logits.append([a.detach().clone() for a in search.alphas])
    return logits


def test_eigenvalue_stopping_returns_the_logits_of_twelve_epochs_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measured eigenvalue doubles with every measurement, so the rule fires as early as it may: at 22 for 10."""
    rising = iter(2.0**i for i in range(100))
    monkeypatch.setattr("harness.search.regularizers.early_stopping.compute_largest_eigenvalue", lambda _: next(rising))
    logits = stopping_search("eigenvalue-stopping", {}, 25)
    assert not torch.equal(logits[21][0], logits[10][0])
    assert all(torch.equal(later[0], logits[10][0]) for later in logits[22:])


def test_skip_stopping_returns_the_last_cell_with_fewer_skips(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = iter((0, 1, 2, 0, 0))
    cell = SPACE_LIST[0].parse("|skip_connect~0|+|skip_connect~0|none~1|+|none~0|none~1|none~2|")
    few = SPACE_LIST[0].parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
    monkeypatch.setattr(type(SPACE_LIST[0]), "derive", lambda *_: cell if next(counts) >= 2 else few)
    logits = stopping_search("skip-stopping", {}, 5)
    assert all(torch.equal(later[0], logits[1][0]) for later in logits[2:])
    assert not torch.equal(logits[0][0], logits[1][0])


def test_a_diverging_search_ends_with_a_sentence() -> None:
    search = make_small_search(build_method("darts"), SPACE_LIST[0])
    search.training = search.training.model_copy(update={"learning_rate": 1e30, "gradient_clip": 1e30})
    with pytest.raises(HarnessError, match=r"diverged in epoch 1 \(training loss .*: its rows up to epoch 0 are"):
        search.train_epoch(0, lambda: None)


# -- combinations that mean nothing, and what a step costs ---------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("fairdarts + sdarts-rs", "'random-smoothing' needs mixing weights that sum to one, .* 'fairdarts' does not"),
        ("gaea + beta-darts", "'beta-decay' needs logits under a softmax, which the searcher 'gaea' does not have"),
        ("drnas + darts-pt", "'perturbation-selection' needs logits under a softmax"),
        ("nasp + p-darts", "'staged-dropping' needs logits under a softmax"),
        ("random-nas + alpha-warmup", "'alpha-warmup' needs architecture steps"),
        ("random-nas + darts-es", "'eigenvalue-stopping' needs architecture steps"),
        (
            "darts-pt + sampled-selection",
            "selects its architecture twice, by 'perturbation-selection' and 'sampled-sel",
        ),
        ("hyperband + drop-path", "regularizes 'hyperband', which trains no supernet"),
    ],
)
def test_senseless_combinations_are_refused_with_a_reason(expression: str, reason: str) -> None:
    with pytest.raises(HarnessError, match=reason):
        build_method(expression)


@pytest.mark.parametrize("name", SEARCHES)
def test_passes_are_those_that_are_made(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `harness list methods` says, against a count of the calls in a step of the last epoch."""
    chosen = build_method(name)
    if name == "alpha-warmup":
        chosen = chosen.override({name: {"length": 1}})
    search = make_small_search(chosen, SPACE_LIST[0])
    counted = {"forward": 0, "backward": 0}
    forward, frozen, backward = Net.forward, Net.frozen, torch.autograd.grad

    def count_forward(self: Any, *args: Any) -> torch.Tensor:
        counted["forward"] += 1
        return forward(self, *args)

    def count_frozen(self: Any, x: torch.Tensor) -> Any:
        logits = frozen(self, x)

        def counting(mix: Any) -> torch.Tensor:
            counted["forward"] += 1
            return logits(mix)

        return counting

    def count_backward(outputs: Any, *args: Any, **options: Any) -> Any:
        # a regularizer's own small functions of logits or slopes are not passes through the network
        counted["backward"] += in_network(outputs)
        return backward(outputs, *args, **options)

    def in_network(outputs: Any) -> bool:
        seen, front = set(), [o.grad_fn for o in ([outputs] if isinstance(outputs, torch.Tensor) else outputs)]
        while front:
            node = front.pop()
            if node is None or node in seen:
                continue
            seen.add(node)
            if "Convolution" in node.name():
                return True
            front += [following for following, _ in node.next_functions]
        return False

    monkeypatch.setattr(Net, "forward", count_forward)
    monkeypatch.setattr(Net, "frozen", count_frozen)
    monkeypatch.setattr(torch.autograd, "grad", count_backward)
    search.net.train()
    search.advance(2, 0.01)  # the first step of a search has nothing to compare
    counted.update(dict.fromkeys(counted, 0))
    with torch.no_grad():  # so that, where one operation is drawn, it is one with weights
        search.alphas[0][:, SPACE_LIST[0].operations.index("nor_conv_3x3")] += 0.1
    search.advance(2, 0.01)
    assert tuple(counted.values()) == build_method(name).passes()


# -- going back, freezing, dropping, deciding ----------------------------------------------------------------------


def one_by_one(name: str, fields: dict[str, Any], epochs: int, space: Any = SPACE_LIST[0]) -> Any:
    """The search after each epoch."""
    search = make_small_search(
        Method(build_method("darts").searcher, (REGULARIZERS.build(name, fields),)), space, epochs=epochs
    )
    search.alpha_optimizer.param_groups[0]["lr"] = 0.05
    for epoch in range(epochs):
        search.train_epoch(epoch, lambda: None)
        yield search


@pytest.mark.long
def test_adaptive_decay_goes_back_and_decays_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rule fires at 22 for 10: weights and logits are those after epoch 10, and decay grows to its limit."""
    rising = iter(2.0**i for i in range(100))
    monkeypatch.setattr("harness.search.regularizers.early_stopping.compute_largest_eigenvalue", lambda _: next(rising))
    kept, decays = [], []
    for search in one_by_one("adaptive-decay", {"factor": 50}, 40):
        kept.append([v.clone() for v in state_of(search)])
        decays.append(search.weight_optimizer.param_groups[0]["weight_decay"])
    assert all(torch.equal(a, b) for a, b in zip(kept[22], kept[10], strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(kept[21][:1], kept[10][:1], strict=True))
    assert decays[:22] == [3e-4] * 22
    assert decays[22] == pytest.approx(0.015)
    assert decays[-1] == 0.03  # it fires again once it has measured enough anew


def test_operations_whose_gradients_disagree_are_frozen() -> None:
    """Threshold 1: all of them after the window; their weights stay, every other weight moves."""
    searches = one_by_one("operation-stopping", {"threshold": 1, "window": 3, "accumulated": False}, 3)
    search = next(searches)
    search = next(searches)
    assert all(search.memory["operation-stopping"]["frozen"])
    held = {id(w) for group in search.net.candidates() for w in group}
    assert len(held) == 3 * 6 * 2  # cells, edges, convolutions
    before = [w.detach().clone() for w in search.weights]
    search = next(searches)
    for weight, old in zip(search.weights, before, strict=True):
        assert torch.equal(weight, old) == (id(weight) in held)


def test_cosine_of_operations_is_that_of_their_two_gradients() -> None:
    """The clipped training gradient of a step, and the validation gradient at the mixing weights of the next one."""
    part = REGULARIZERS.build("operation-stopping", {"accumulated": False})
    search = make_small_search(Method(build_method("darts").searcher, (part,)), SPACE_LIST[0])
    search.net.train()
    first, second = ([search.batch(part, 0) for part in ("train", "valid")] for _ in range(2))
    search.step(*first, 0, 0.1)
    group = search.net.candidates()[3]
    train = [w.grad.clone() for w in group]
    with keep_buffers(search.net):
        loss = compute_cross_entropy(search.net, search.searcher.relax(search.alphas), second[1])
        valid = torch.autograd.grad(loss, group)
    pairs = zip(train, valid, strict=True)
    expected = torch.stack([torch.cosine_similarity(x, y, dim=0).mean() for x, y in pairs]).mean()
    search.step(*second, 0, 0.1)
    memory = search.memory["operation-stopping"]
    assert memory["counts"][3] == 1
    assert memory["totals"][3] == pytest.approx(float(expected), abs=1e-6)


def test_staged_dropping_keeps_three_then_two_and_freezes_alpha() -> None:
    """Nine epochs: stages of three; the first epoch of each (1.2 rounded) takes no architecture step."""
    previous: list[torch.Tensor] = []
    for epoch, search in enumerate(one_by_one("staged-dropping", {}, 9)):
        alpha = search.alphas[0].detach().clone()
        left = (alpha > DROPPED / 2).sum(dim=1).tolist()
        assert left == [5 if epoch < 2 else 3 if epoch < 5 else 2] * 6
        if epoch in (0, 3, 6):
            assert not previous or torch.equal(alpha, previous[-1])
        elif epoch in (2, 5):
            kept = alpha > DROPPED / 2
            assert (
                previous[-1].masked_fill(~kept, 9).amin(1) >= previous[-1].masked_fill(kept, -9).amax(1) - 0.2
            ).all()
        previous.append(alpha)
    assert (search.searcher.relax(search.alphas)[0] == 0).sum().item() == 6 * 3


def test_sequential_decisions_decide_one_choice_at_a_time() -> None:
    decided, frozen = [], {}
    for search in one_by_one("sequential-decisions", {"start": 0.2, "interval": 0.1}, 10):
        decided.append([row for _, row in search.decided])
        mix = search.constrained(search.searcher.relax(search.alphas))[0]
        for row in decided[-1]:
            assert mix[row].max() == 1.0
            assert mix[row].argmax() != 0  # `none` is never decided for
            assert torch.equal(search.alphas[0][row], frozen.setdefault(row, search.alphas[0][row].detach().clone()))
    assert [len(d) for d in decided] == [0, 0, 1, 2, 3, 4, 5, 6, 6, 6]
    assert all(later[: len(early)] == early for early, later in itertools.pairwise(decided))


def test_sequential_decisions_leave_out_edges_of_a_node_that_has_its_own() -> None:
    space = DARTSS3()
    for search in one_by_one("sequential-decisions", {"start": 0, "interval": 0.05}, 14, space):
        architecture = search.derive()
    for tensor, (normal, mix) in enumerate(zip(search.alphas, search.constrained(search.alphas), strict=True)):
        assert {row for t, row in search.decided if t == tensor} == set(range(len(normal)))
        edges = mix.detach().sum(dim=1)
        nodes = torch.tensor(space.tensors[tensor].nodes)
        assert [edges[nodes == node].tolist().count(1) for node in (2, 3, 4, 5)] == [2] * 4
    assert (
        architecture.encoding
        == space.strongest([m.detach().numpy() for m in search.constrained(search.alphas)]).encoding
    )


def test_score_of_sequential_decisions() -> None:
    """Two operations, three choices: entropies of (1, 0), (1/2, 1/2), (3/4, 1/4); overlap with an even past."""
    importance = torch.tensor([0.5, 1.0, 1.0])
    others = torch.tensor([[1.0, 0.0], [0.5, 0.5], [0.75, 0.25]])
    certainty = 1 - 0.811278  # of (3/4, 1/4), in bits
    assert torch.allclose(compute_scores(importance, others, None), torch.tensor([0.0, 0.0, certainty]), atol=1e-5)
    past = [torch.full((3, 2), 0.5)]
    assert torch.allclose(
        compute_scores(importance, others, past), torch.tensor([0.0, 0.0, certainty * 0.5]), atol=1e-5
    )


# -- selections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", SPACE_LIST, ids=lambda s: s.name)
@pytest.mark.parametrize("name", SELECTING)
def test_selection_takes_what_the_network_misses(name: str, space: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Accuracy made up as the share of a wanted architecture that the mix still has: that one is selected (by samples:
    the one nearest to it)."""
    wanted = space.random(np.random.default_rng(3))
    target = [torch.as_tensor(m).float() for m in space.mix(wanted)]

    def accuracy(self: Any, mix: Any, *_: Any) -> float:
        return float(sum((m * t).sum() for m, t in zip(mix, target, strict=True)))

    def scores(search: Any, mix: Any, *_: Any) -> tuple[float, float]:
        return accuracy(search, mix), 0.0

    monkeypatch.setattr(SupernetSearch, "accuracy", accuracy)
    monkeypatch.setattr("harness.search.regularizers.perturbation_selection.train_mode_scores", scores)
    fields = {"tune_epochs": 0} if name == "perturbation-selection" else {"samples": 4_000}
    search = make_small_search(Method(build_method("darts").searcher, (REGULARIZERS.build(name, fields),)), space)
    search.trained = 3
    selected = search.select()
    if name == "perturbation-selection":
        search.trained = 2
        assert search.select() == search.derive()  # before the last epoch
        assert selected == wanted
    else:
        shared = sum(float((torch.as_tensor(m) * t).sum()) for m, t in zip(space.mix(selected), target, strict=True))
        assert shared >= 4
    assert search.searcher.relax(search.alphas)[0].max() < 0.5  # the search has decided nothing


def test_random_paths_are_uniform() -> None:
    search = make_small_search(build_method("random-nas"), SPACE_LIST[1])
    drawn = [search.searcher.sample(search.alphas, search.moment(0)) for _ in range(2_000)]
    for tensor, picks in enumerate(SPACE_LIST[1].picks):
        mean = torch.stack([d[tensor] for d in drawn]).mean(dim=0)
        assert (mean - picks / mean.shape[1]).abs().max() < 0.05
    before = [a.detach().clone() for a in search.alphas]
    search.train_epoch(0, lambda: None)
    assert all(torch.equal(a, b) for a, b in zip(before, search.alphas, strict=True))
    assert set(torch.cat([m.flatten() for m in search.last_mix]).tolist()) == {0.0, 1.0}


# -- Lambda-DARTS --------------------------------------------------------------------------------------------------


def test_layer_alignment_is_the_mean_cosine_of_pairs() -> None:
    slopes = torch.randn(4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    pairs = [torch.cosine_similarity(a.flatten(), b.flatten(), dim=0) for a, b in itertools.combinations(slopes, 2)]
    assert compute_layer_alignment(slopes) == pytest.approx(float(torch.stack(pairs).mean()), abs=1e-12)


@pytest.mark.parametrize("space", SPACE_LIST, ids=lambda s: s.name)
def test_cells_may_have_mixing_weights_of_their_own(space: Any) -> None:
    """Equal copies give the same output, and their gradients sum to that of the shared weights."""
    mix, step = make_small_step(space, cells=3)
    shared = [m.clone().requires_grad_() for m in mix]
    copies = [m.expand(step.net.mixed_cells, *m.shape).clone().requires_grad_() for m in mix]
    a, b = step.loss(shared), step.loss(copies)
    assert torch.equal(a, b)
    for one, each in zip(torch.autograd.grad(a, shared), torch.autograd.grad(b, copies), strict=True):
        assert torch.allclose(one, each.sum(dim=0), atol=1e-12)


@pytest.mark.parametrize("space", SPACE_LIST, ids=lambda s: s.name)
def test_lambda_term_is_the_gradient_of_the_alignment(space: Any) -> None:
    """Against two exact differentiations, in float64; the term is scaled by e / (E - 1). The published distance is
    that of float32; on so small a network it crosses kinks of ReLU and pooling."""
    mix, step = make_small_step(space, epoch=2, epochs=5, cells=3)
    weights = list(step.net.parameters())
    own = mix[0].expand(step.net.mixed_cells, *mix[0].shape).clone().requires_grad_()
    (slopes,) = torch.autograd.grad(step.loss([own, *mix[1:]]), own, create_graph=True)
    expected = torch.autograd.grad(compute_layer_alignment(slopes), weights, materialize_grads=True)
    zero: list[Any] = [torch.zeros_like(w) for w in weights]
    part = REGULARIZERS.build("layer-alignment", {"strength": 0.25, "distance": 1e-6})
    found = part.weight_gradients(zero, mix, step)
    size = torch.cat([e.flatten() for e in expected]).norm()
    error = torch.cat([(f + 0.25 * 2 / 4 * e).flatten() for f, e in zip(found, expected, strict=True)]).norm()
    assert size > 0
    assert error < 1e-3 * 0.125 * size


# -- relaxation x estimator ----------------------------------------------------------------------------------------


def test_a_relaxation_and_an_estimator_are_composed() -> None:
    """The sample is the relaxation's, the gradient the estimator's; every field can be set by its part's name."""
    chosen = build_method("sdarts-rs + amended-darts + gdas").override(
        {"amended": {"eta": 0.7}, "gumbel": {"temperature": 3}}
    )
    assert list(chosen.parts()) == ["gumbel", "amended", "random-smoothing"]
    assert chosen.describe()["amended"] == {"eta": 0.7}
    assert (chosen.searcher.eta, chosen.searcher.temperature, chosen.searcher.variant) == (0.7, 3, "hard")
    assert chosen.passes() == (6, 6)
    search = make_small_search(chosen, SPACE_LIST[0])
    sample = search.searcher.sample(search.alphas, search.moment(0))[0]
    assert set(sample.detach().flatten().tolist()) == {0.0, 1.0}


def test_an_estimator_without_strength_is_the_relaxation_alone() -> None:
    for ours, theirs in (("drnas + amended-darts", "drnas"), ("snas + a2m", "snas")):
        part = {"amended": {"eta": 0}} if "amended" in ours else {"a2m": {"rho": 0}}
        composed = build_method(ours).override(part)
        for a, b in zip(states(composed, SPACE_LIST[0]), states(build_method(theirs), SPACE_LIST[0]), strict=True):
            assert torch.equal(a, b)
        assert not all(
            torch.equal(a, b)
            for a, b in zip(
                states(build_method(ours), SPACE_LIST[0]), states(build_method(theirs), SPACE_LIST[0]), strict=True
            )
        )


@pytest.mark.parametrize(
    "expression", ["gdas + drnas", "darts-2nd + idarts", "gaea + darts-2nd", "gdas + random-search"]
)
def test_searchers_that_do_not_go_together_are_refused(expression: str) -> None:
    with pytest.raises(HarnessError, match="two go together where one gives the mixing weights"):
        build_method(expression)
