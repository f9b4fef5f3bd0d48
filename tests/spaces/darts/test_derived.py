"""The network of derived cells: published sizes, and the published function, written out here once more."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.spaces.blocks.derived import Derived, build_derived, measure_size
from harness.spaces.darts.genotype import Genotype, parse
from harness.spaces.darts.space import DARTSS1, S4, DARTSFull
from harness.spaces.nasbench201.space import NASBench201

V1 = (
    "DARTS_V1 = Genotype(normal=[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 0), ('sep_conv_3x3', 1), "
    "('skip_connect', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('skip_connect', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('avg_pool_3x3', 0)], reduce_concat=[2, 3, 4, 5])"
)
V2 = (
    "DARTS_V2 = Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], "
    "reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)


@pytest.mark.parametrize(("genotype", "weights", "millions"), [(V1, 3_169_414, 501), (V2, 3_349_342, 528)])
def test_published_sizes(genotype: str, weights: int, millions: int) -> None:
    """What DARTS' code prints of its own cells ("param size"), and the multiply-adds that papers give of them."""
    found = measure_size(DARTSFull(), DARTSFull().parse(genotype), channels=36, cells=20, classes=10, shape=(3, 32, 32))
    assert (found[0], round(found[1] / 1e6)) == (weights, millions)


def build(space: Any, genotype: str, **changes: Any) -> Derived:
    sizes = {"channels": 4, "cells": 6, "classes": 10, "shape": (3, 32, 32), "auxiliary": True} | changes
    return build_derived(space, space.parse(genotype), generator=torch.Generator().manual_seed(0), **sizes).double()


def published(net: Any, genotype: Genotype, x: Tensor) -> tuple[Tensor, Tensor]:
    """The logits in train mode, by functions alone, of the network's weights in the order of its modules."""
    weights: Iterator[Tensor] = iter(net.parameters())

    def norm(y: Tensor) -> Tensor:
        return F.batch_norm(y, None, None, next(weights), next(weights), training=True)

    def convolve(y: Tensor, stride: int = 1, dilation: int = 1, groups: int = 1) -> Tensor:
        w = next(weights)
        return F.conv2d(y, w, None, stride, dilation * (w.shape[-1] // 2), dilation, groups)

    def halved(y: Tensor) -> Tensor:
        y = F.relu(y)
        return norm(torch.cat([convolve(y, 2), convolve(y[:, :, 1:, 1:], 2)], dim=1))

    def operate(name: str, y: Tensor, stride: int) -> Tensor:
        kind, _, side = name.rpartition("_")
        if kind in ("sep_conv", "dil_conv"):
            dilation = 1 if kind == "sep_conv" else 2
            for s in (stride, 1)[: 3 - dilation]:
                y = norm(convolve(convolve(F.relu(y), s, dilation, y.shape[1])))
            return y
        if kind == "max_pool":
            return F.max_pool2d(y, 3, stride, 1)
        if kind == "avg_pool":
            return F.avg_pool2d(y, 3, stride, 1, count_include_pad=False)
        assert name == "skip_connect", side
        return y if stride == 1 else halved(y)

    s0 = s1 = norm(convolve(x))
    for index in range(6):
        reduction = index in (2, 4)
        before = halved(s0) if index in (3, 5) else norm(convolve(F.relu(s0)))
        states = [before, norm(convolve(F.relu(s1)))]
        cell = genotype.reduce if reduction else genotype.normal
        for (a, i), (b, j) in zip(cell[::2], cell[1::2], strict=True):
            left = operate(a, states[i], 2 if reduction and i < 2 else 1)
            states.append(left + operate(b, states[j], 2 if reduction and j < 2 else 1))
        s0, s1 = s1, torch.cat(states[2:], dim=1)
        if index == 4:
            seen = s1
    logits = F.linear(s1.mean((2, 3)), next(weights), next(weights))
    y = F.avg_pool2d(F.relu(seen), 5, 3, 0, count_include_pad=False)
    y = F.relu(norm(convolve(y)))
    y = F.relu(norm(F.conv2d(y, next(weights))))
    extra = F.linear(y.flatten(1), next(weights), next(weights))
    assert next(weights, None) is None
    return logits, extra


@pytest.mark.parametrize("seed", [0, 1])
def test_the_published_function(seed: int) -> None:
    """With the cells of the key, whose nodes may be numbered otherwise."""
    cell = DARTSFull().random(np.random.default_rng(seed))
    net = build(DARTSFull(), cell.encoding)
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(net.train()(x), published(net, parse(cell.key), x), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    assert net.eval()(x)[1] is None


def test_cells_that_are_numbered_otherwise_are_one_network() -> None:
    one = "('skip_connect', 0), ('sep_conv_3x3', 1)", "('sep_conv_3x3', 0), ('sep_conv_3x3', 1)"
    rest = "('skip_connect', 2), ('sep_conv_3x3', 3), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1)"
    swapped = "('sep_conv_3x3', 2), ('skip_connect', 3), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1)"
    form = "Genotype(normal=[{0}], normal_concat=range(2, 6), reduce=[{0}], reduce_concat=range(2, 6))"
    pair = [form.format(", ".join([*one, rest])), form.format(", ".join([*one[::-1], swapped]))]
    nets = [build(DARTSFull(), text, auxiliary=False).eval() for text in pair]
    x = torch.randn(1, 3, 32, 32, dtype=torch.float64)
    assert torch.equal(*(net(x)[0] for net in nets))


def test_drop_path_drops_all_but_identities() -> None:
    """With all dropped that can be, a cell of identities is left as it was, and one of convolutions is nothing."""
    form = "Genotype(normal=[{0}], normal_concat=range(2, 6), reduce=[{0}], reduce_concat=range(2, 6))"
    for op, kept in (("skip_connect", True), ("max_pool_3x3", False)):
        net: Any = build(DARTSFull(), form.format(", ".join(f"('{op}', {i % 2})" for i in range(8)))).train()
        net.drop_path = 0.5
        net.draw = lambda _, make: torch.zeros_like(make(torch.Generator()))  # below 0.5: every image
        x = torch.randn(2, 48 // 4, 8, 8, dtype=torch.float64)
        out = net.cells[0](x, x, net.dropped, None)
        assert bool((out != 0).any()) is kept


def test_noise_is_drawn_from_a_stream() -> None:
    cell = S4().random(np.random.default_rng(3))
    assert "noise" in cell.operations
    net = build(S4(), cell.encoding, auxiliary=False).eval()
    asked = []
    net.draw = lambda name, make: (asked.append(name), make(torch.Generator().manual_seed(0)))[1]
    assert torch.isfinite(net(torch.randn(1, 3, 32, 32, dtype=torch.float64))[0]).all()
    assert set(asked) == {"noise"}
    assert measure_size(S4(), cell, channels=4, cells=6, classes=10, shape=(3, 8, 8))[0] > 0


@pytest.mark.parametrize(
    ("space", "changes", "message"),
    [
        (DARTSS1(), {"shape": (3, 16, 16)}, "made for images of 32 x 32 pixels, not 16 x 16: set recipe.auxiliary=0"),
        (DARTSS1(), {"cells": 2}, "a network of darts.s1 needs at least 3 cells, not 2: set recipe.cells"),
        (NASBench201(), {}, "space nasbench201 names no network to train one architecture with"),
    ],
)
def test_what_cannot_be_built_is_explained(space: Any, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        build(space, space.random(np.random.default_rng(0)).encoding, **changes)


@pytest.mark.parametrize("text", ["Genotype(" + "[" * 5000, "Genotype(normal=" + "1" * 20_000 + ")"])
def test_monstrous_genotypes_are_refused(text: str) -> None:
    with pytest.raises(HarnessError, match="is no genotype"):
        parse(text)


def test_a_long_range_takes_no_memory() -> None:
    with pytest.raises(HarnessError, match="do not put out their nodes 2 to 5"):
        parse(
            V2.replace("normal_concat=[2, 3, 4, 5]", "normal_concat=range(2, 10**15)".replace("10**15", "1" + "0" * 15))
        )
