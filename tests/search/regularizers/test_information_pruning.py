"""IS-DARTS: what it measures, against the definition and against hooks of its own; what it takes out, and when."""

from typing import Any

import pytest
import torch
from torch import Tensor

from harness.search.loop import SupernetSearch, compute_cross_entropy
from harness.search.methods import Method, build_method
from harness.search.regularizers import information_pruning
from harness.search.regularizers.information_pruning import (
    InformationPruning,
    compute_information,
    compute_pixel_information,
    drop_largest,
)
from harness.spaces.blocks.mix import keep_buffers, use_evaluation_mode
from harness.spaces.darts.space import FullNone
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1
from harness.spaces.nasbench201.space import NASBench201
from harness.spaces.nasbench201.supernet import NASBench201MixedEdge
from harness.testing.contracts import make_small_search

SPACE = NASBench201()


def searching(space: Any = SPACE, epochs: int = 3, **fields: Any) -> tuple[InformationPruning, SupernetSearch]:
    part = InformationPruning(**fields)
    return part, make_small_search(Method(build_method("darts").searcher, (part,)), space, epochs=epochs)


def defined(y: Tensor) -> Tensor:
    """The mean of 3 (y - m)^2 / s^6 over the channels of each pixel."""
    mean, deviation = y.mean(dim=1, keepdim=True), y.std(dim=1, keepdim=True)
    return (3 * (y - mean) ** 2 / deviation**6).mean(dim=1)


def test_information_of_a_pixel_is_by_its_channels_alone() -> None:
    y = torch.randn(2, 5, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.allclose(compute_pixel_information(y), defined(y), rtol=1e-12)
    y[1, :, 2, 3] = 0.7
    assert compute_pixel_information(y).isnan().nonzero().tolist() == [[1, 2, 3]]
    assert compute_pixel_information(y[:, :1]).isnan().all()


def test_information_is_that_of_the_outputs_of_operations() -> None:
    """Of hooks on the modules of the network as it reads, cell by cell; `none` has none, and is infinite."""
    _, search = searching()
    search.train_epoch(0, lambda: None)
    buffers = [b.clone() for b in search.net.buffers()]
    mix = [torch.full((6, 5), 0.2)]
    found = compute_information(search, mix)[0]
    assert all(torch.equal(a, b) for a, b in zip(buffers, search.net.buffers(), strict=True))
    assert search.net.training and search.net.evaluates == "all"

    cells = [[m for m in cell.modules() if isinstance(m, NASBench201MixedEdge)] for cell in search.net.cells]
    heard: dict[tuple[int, int, int], list[Tensor]] = {}
    handles = []
    for cell, edges in enumerate(c for c in cells if c):
        for row, edge in enumerate(edges):
            for option, operation in ((2, edge.nor_conv_1x1), (3, edge.nor_conv_3x3), (4, edge.avg_pool_3x3)):
                own = heard.setdefault((cell, row, option), [])
                handles.append(operation.register_forward_hook(lambda _m, _x, y, own=own: own.append(defined(y))))
    images = torch.cat([search.images.evaluation(part)[0] for part in ("train", "valid")])
    with torch.no_grad(), use_evaluation_mode(search.net), keep_buffers(search.net), search.net.readable():
        for edge in (edge for c in cells for edge in c):
            edge.train()
        for part in images.split(search.training.batch_size):
            search.net(part, mix)
    for handle in handles:
        handle.remove()
    count = len([c for c in cells if c])
    for row in range(6):
        assert found[row, 0] == float("inf")
        assert torch.isfinite(found[row, 1])
        for option in (2, 3, 4):
            means = [torch.cat(heard[cell, row, option]).double().mean() for cell in range(count)]
            assert float(found[row, option]) == pytest.approx(float(torch.stack(means).mean()), rel=1e-3)


def test_the_largest_are_taken_out_and_enough_rows_stay() -> None:
    draws = torch.Generator().manual_seed(0)
    for _ in range(50):
        values = torch.rand(4, 3, generator=draws)
        candidates = [(row, option) for row in range(4) for option in range(3)]
        few = drop_largest(candidates, values, 2, 5)
        taken = [c for c in candidates if c not in few]
        assert len(few) == 7 and min(values[c] for c in taken) >= max(values[c] for c in few)
        last = drop_largest(few, values, 2, 5)
        assert len(last) == len({row for row, _ in last}) == 2
    tied = torch.full((1, 3), float("inf"))
    assert drop_largest([(0, 0), (0, 1), (0, 2)], tied, 1, 1) == [(0, 1), (0, 2)]
    assert drop_largest([(0, 0), (1, 0), (1, 1)], torch.tensor([[9.0, 0], [1, 2]]), 2, 1) == [(0, 0), (1, 0)]


@pytest.mark.parametrize(
    ("space", "fields", "counts"),
    [
        (SPACE, {}, [5, 5, 4, 4, 3, 3, 2, 2, 1, 1]),
        (NASBench1Shot1S1(), {}, [3, 3, 2, 2, 1, 1, 1, 1, 1, 1]),
        (FullNone(), {"shrinks": 7, "interval": 1}, [16, 16, 14, 12, 10, 8, 6, 4, 2, 2]),
        (FullNone(), {"shrinks": 7, "interval": 1, "at_once": True}, [16, 16, 2, 2, 2, 2, 2, 2, 2, 2]),
    ],
    ids=("201", "1shot1", "darts", "darts at once"),
)
def test_shrinks_are_as_published(
    space: Any, fields: dict[str, Any], counts: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many candidates the first choice, or the first node, has after each of ten epochs; all have their 1 / K."""
    draws = torch.Generator().manual_seed(0)
    drawn = {t: torch.rand(space.alpha_shapes[t], generator=draws) for t in space.operation_tensors()}
    monkeypatch.setattr(information_pruning, "compute_information", lambda *_: drawn)
    part, search = searching(space, 10, **fields)
    rows, options = [0, 1] if space.tensors[0].keeps else [0], space.alpha_shapes[0][1]
    for epoch, count in enumerate(counts):
        part.after_epoch(search, search.moment(epoch))
        mix = search.constrained(information_pruning.equalize_operations(search.searcher.relax(search.alphas), [0]))[0][
            rows
        ]
        assert (mix > 0).sum() == count
        assert torch.allclose(mix[mix > 0], torch.tensor(1 / options))
        best = drawn[0][rows].masked_fill(mix == 0, 9).argmin(dim=1)
        derived = search.derive()
        if epoch and count < counts[0] and not space.tensors[0].keeps:
            assert derived.operations[0] == space.tensors[0].options[0][int(best[0])]
    if space.tensors[0].keeps:
        assert list(derived.operations[:2]) == [space.tensors[0].options[row][int(best[row])] for row in rows]


def test_a_search_that_is_shorter_takes_all_out_at_its_last_shrink() -> None:
    _, search = searching(epochs=2)
    search.train_epoch(0, lambda: None)
    assert {len(choice["kept"]) for choice in search.decided.values()} == {1}


def test_both_halves_train_the_weights_at_equal_mixing_weights() -> None:
    _, search = searching()
    search.net.train()
    batches = search.batches(0)
    mix = [torch.full((6, 5), 0.2)]
    expected = [torch.zeros_like(w) for w in search.weights]
    with keep_buffers(search.net):
        for batch in batches:
            slopes = torch.autograd.grad(compute_cross_entropy(search.net, mix, batch), search.weights)
            expected = [e + s / 2 for e, s in zip(expected, slopes, strict=True)]
    norm = torch.cat([e.flatten() for e in expected]).norm()
    alphas = [a.detach().clone() for a in search.alphas]
    search.training = search.training.model_copy(update={"gradient_clip": 1e9})
    search.step(*batches, 0, 0.01)
    assert torch.equal(search.last_mix[0], mix[0])
    assert all(torch.equal(a, b) for a, b in zip(alphas, search.alphas, strict=True))
    for weight, slope in zip(search.weights, expected, strict=True):
        assert torch.allclose(weight.grad, slope, atol=1e-5 * float(norm))
