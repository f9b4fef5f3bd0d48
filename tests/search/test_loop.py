import torch

from harness.datasets.digits import DigitPairs
from harness.runs.run import start
from harness.runs.store import RunFolder
from harness.runs.study import Run, SupernetSize
from harness.search.loop import SupernetSearch
from harness.search.methods import build_method
from harness.search.training import Training
from harness.spaces.nasbench201.space import NASBench201

SMALL = Training(batch_size=8, steps_per_epoch=3)


def search_of(name: str, seed: int = 0, training: Training = SMALL, preset: str = "fixed") -> SupernetSearch:
    run = Run(
        method_name=name,
        method=build_method(name),
        seed=seed,
        space=NASBench201(),
        dataset=DigitPairs(evaluation_pairs=32),
        table=None,
        epochs=4,
        preset=preset,  # type: ignore[arg-type]
        supernet=SupernetSize(channels=2, cells=1),
        training=training,
    )
    started = start(run, torch.device("cpu"))
    assert isinstance(started, SupernetSearch)
    return started


def watch(search: SupernetSearch) -> list[torch.Tensor]:
    """Every batch that the search draws."""
    seen: list[torch.Tensor] = []
    original = search.step

    def step(train, valid, epoch, learning_rate):  # type: ignore[no-untyped-def]
        seen.extend((train[0].clone(), train[1].clone(), valid[0].clone(), valid[1].clone()))
        return original(train, valid, epoch, learning_rate)

    search.step = step  # type: ignore[method-assign]
    return seen


def test_methods_with_equal_seeds_are_paired() -> None:
    """Equal initial weights, logits and data order, although RS and ADV draw noise of their own."""
    searches = [search_of(name) for name in ("darts", "sdarts-rs", "sdarts-adv", "darts-2nd")]
    first = searches[0]
    for other in searches[1:]:
        assert all(torch.equal(a, b) for a, b in zip(first.net.parameters(), other.net.parameters(), strict=True))
        assert all(torch.equal(a, b) for a, b in zip(first.alphas, other.alphas, strict=True))
    batches = [watch(s) for s in searches]
    for s in searches:
        for epoch in range(2):
            s.train_epoch(epoch, lambda: None)
    assert len(batches[0]) == 24
    for seen in batches[1:]:
        assert all(torch.equal(a, b) for a, b in zip(batches[0], seen, strict=True))
    weights = [torch.cat([p.flatten() for p in s.net.parameters()]) for s in searches]
    assert all(not torch.equal(weights[0], w) for w in weights[1:])


def test_another_seed_is_another_search() -> None:
    a, b = search_of("darts", 0), search_of("darts", 1)
    assert not torch.equal(next(a.net.parameters()), next(b.net.parameters()))
    seen = [watch(a), watch(b)]
    a.train_epoch(0, lambda: None)
    b.train_epoch(0, lambda: None)
    assert not torch.equal(seen[0][0], seen[1][0])


def test_zero_strength_is_darts_bit_for_bit() -> None:
    plain = search_of("darts")
    plain.train_epoch(0, lambda: None)
    for name, part in (("sdarts-rs", "random-smoothing"), ("sdarts-adv", "adversarial")):
        other = search_of(name)
        neutral = build_method(name).override({part: {"epsilon": 0, "epsilon_start": 0}})
        other.regularizers = list(neutral.regularizers)
        other.train_epoch(0, lambda: None)
        for a, b in zip(plain.net.state_dict().values(), other.net.state_dict().values(), strict=True):
            assert torch.equal(a, b)


def test_global_random_state_is_untouched() -> None:
    torch.manual_seed(5)
    state = torch.get_rng_state()
    search = search_of("sdarts-adv + random-smoothing")
    search.train_epoch(0, lambda: None)
    search.evaluate()
    assert torch.equal(torch.get_rng_state(), state)


def test_update_order_is_respected() -> None:
    calls: list[str] = []
    for order, expected in (("alpha-first", ["alpha", "weights"]), ("weights-first", ["weights", "alpha"])):
        calls.clear()
        search = search_of("darts", training=SMALL.model_copy(update={"order": order, "steps_per_epoch": 1}))
        architecture, weight = search.architecture_step, search.weight_step
        search.architecture_step = lambda *a, f=architecture: (calls.append("alpha"), f(*a))[1]  # type: ignore[method-assign]
        search.weight_step = lambda *a, f=weight: (calls.append("weights"), f(*a))[1]  # type: ignore[method-assign]
        search.train_epoch(0, lambda: None)
        assert calls == expected


def test_clipping_counts_alpha_only_when_published() -> None:
    """With a tiny limit the clipped gradient norm of the weights is the limit, or less where alpha shares it."""
    norms = {}
    for preset in ("fixed", "official"):
        tight = SMALL.model_copy(update={"gradient_clip": 1e-3, "steps_per_epoch": 1})
        search = search_of("darts", training=tight, preset=preset)
        search.train_epoch(0, lambda: None)
        norms[preset] = torch.stack([w.grad.norm() for w in search.weights]).norm().item()  # type: ignore[union-attr]
    assert abs(norms["fixed"] - 1e-3) < 1e-7
    assert norms["official"] < 0.9999e-3


def test_learning_rate_is_the_written_out_cosine() -> None:
    training = Training()
    assert training.rate(0, 50) == 0.025
    assert training.rate(25, 50) == (0.025 + 0.001) / 2
    assert training.rate(49, 50) > 0.001


def test_state_round_trip_continues_exactly(tmp_path) -> None:  # type: ignore[no-untyped-def]
    for name in ("darts-2nd", "sdarts-rs", "sdarts-adv"):
        straight = search_of(name)
        straight.train_epoch(0, lambda: None)
        folder = RunFolder(tmp_path, name)
        folder.running.mkdir()
        folder.save_checkpoint(straight.state_dict(), {}, {})
        straight.train_epoch(1, lambda: None)
        resumed = search_of(name)
        saved = folder.load_checkpoint()
        assert saved is not None
        resumed.load_state_dict(saved[0])
        resumed.train_epoch(1, lambda: None)
        for a, b in zip(straight.net.state_dict().values(), resumed.net.state_dict().values(), strict=True):
            assert torch.equal(a, b)
        assert all(torch.equal(a, b) for a, b in zip(straight.alphas, resumed.alphas, strict=True))
