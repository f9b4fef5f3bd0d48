import numpy as np
import pytest
import torch
from torch.nn import functional as F

from harness.core.streams import Streams
from harness.spaces.base import SPACES, Space
from harness.spaces.blocks.build import build_supernet
from harness.spaces.nasbench1shot1.supernet import NASBench1Shot1Supernet
from harness.spaces.nasbench201.cell import CONV1, CONV3, EDGES, POOL, SKIP
from harness.spaces.nasbench201.supernet import NASBench201MixedCell, NASBench201Supernet

SPACE_LIST = ["nasbench201", "nasbench1shot1.s1", "nasbench1shot1.s2", "nasbench1shot1.s3"]


def small(space: Space, **changes: object) -> tuple[torch.nn.Module, list[torch.Tensor], torch.Tensor]:
    streams = Streams(0)
    options = {
        "channels": 2,
        "cells": 3,
        "classes": 5,
        "generator": streams["weights"],
        "dtype": torch.float64,
    } | changes
    net = build_supernet(space, space.presets["official"], **options)
    mix = [torch.rand(s, generator=streams["mix"], dtype=torch.float64).softmax(-1) for s in space.alpha_shapes]
    return net, mix, torch.randn(4, 3, 16, 16, generator=streams["x"], dtype=torch.float64)


@pytest.mark.parametrize("name", SPACE_LIST)
def test_output_is_a_pure_function_of_input_and_mix(name: str) -> None:
    net, mix, x = small(SPACES.find(name)())
    first = net(x, mix)
    assert first.shape == (4, 5)
    assert torch.equal(net(x, mix), first)  # train-mode output does not depend on the running statistics
    assert not torch.equal(net(x, [m.flip(-1) for m in mix]), first)


@pytest.mark.parametrize("name", SPACE_LIST)
def test_every_mixing_weight_matters(name: str) -> None:
    space = SPACES.find(name)()
    net, mix, x = small(space)
    leaves = [m.requires_grad_() for m in mix]
    gradients = torch.autograd.grad(net(x, leaves).square().sum(), leaves)
    expected = sum(m.numel() for m in mix) - (6 if name == "nasbench201" else 0)  # `none` has no output
    assert sum(int((g != 0).sum()) for g in gradients) == expected


@pytest.mark.parametrize("name", SPACE_LIST)
def test_building_draws_from_the_named_stream_alone(name: str) -> None:
    state = torch.get_rng_state()
    first, second = (small(SPACES.find(name)())[0].state_dict() for _ in range(2))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[k], second[k]) for k in first)


def test_initial_weights_are_those_of_torch() -> None:
    """Same distribution as the modules' own initialization: bound 1/sqrt(fan_in), variance bound^2 / 3."""
    net = build_supernet(
        SPACES.find("nasbench201")(),
        SPACES.find("nasbench201")().presets["fixed"],
        channels=16,
        cells=1,
        classes=10,
        generator=Streams(0)["weights"],
    )
    for name, weight in net.named_parameters():
        if weight.ndim == 4:
            bound = weight[0].numel() ** -0.5
            assert weight.abs().max() <= bound, name
            assert weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.15), name


def test_published_sizes() -> None:
    def count(name: str, cells: int) -> int:
        net = build_supernet(SPACES.find(name)(), channels=16, cells=cells, classes=10)
        return sum(p.numel() for p in net.parameters())

    assert count("nasbench1shot1.s1", 9) == count("nasbench1shot1.s2", 9) == 1_101_402
    assert count("nasbench1shot1.s3", 9) == 1_509_594


def test_one_hot_mix_is_the_discrete_cell() -> None:
    """A 201 cell at one-hot weights equals the cell put together by hand from the same parameters."""
    torch.manual_seed(0)
    cell = NASBench201MixedCell(3).double()
    x = torch.randn(2, 3, 6, 6, dtype=torch.float64)
    rng = np.random.default_rng(0)
    for _ in range(10):
        ops = rng.integers(0, 5, 6)
        mix = torch.eye(5, dtype=torch.float64)[ops]
        nodes = [x]
        for target in (1, 2, 3):
            total = torch.zeros_like(x)
            for (source, into), op in zip(EDGES, ops, strict=True):
                edge = cell.edges[f"{into}<-{source}"]
                if into != target:
                    continue
                if op == SKIP:
                    total = total + nodes[source]
                elif op == POOL:
                    total = total + F.avg_pool2d(nodes[source], 3, 1, 1, count_include_pad=False)
                elif op in (CONV1, CONV3):
                    module = edge.nor_conv_1x1 if op == CONV1 else edge.nor_conv_3x3
                    y = F.conv2d(F.relu(nodes[source]), module[1].weight, padding=int(op == CONV3))
                    total = total + F.batch_norm(y, None, None, training=True)
            nodes.append(total)
        assert torch.allclose(cell(x, mix, lambda edge, *inputs: edge(*inputs)), nodes[3], atol=1e-12)


def test_presets_differ_where_they_say() -> None:
    s1, nb201 = SPACES.find("nasbench1shot1.s1")(), SPACES.find("nasbench201")()
    official, fixed = s1.presets["official"], s1.presets["fixed"]
    assert (official.bn_momentum, fixed.bn_momentum) == (0.997, 0.1)
    assert (official.pool_padding, fixed.pool_padding) == (1, 0)
    assert nb201.presets["official"].clip_counts_alpha and not nb201.presets["fixed"].clip_counts_alpha
    sizes = {}
    for choices in (official, fixed):
        net = build_supernet(s1, choices, channels=2, cells=9, classes=10)
        assert isinstance(net, NASBench1Shot1Supernet)
        x, seen = torch.zeros(2, 2, 32, 32), [32]
        for _ in range(2):
            x = net.pool(x)
            seen.append(x.shape[-1])
        sizes[choices.pool_padding] = seen
    assert sizes == {1: [32, 17, 9], 0: [32, 16, 8]}


def test_published_names_cover_every_parameter() -> None:
    net = build_supernet(SPACES.find("nasbench201")(), channels=2, cells=1, classes=10)
    assert isinstance(net, NASBench201Supernet)
    names = [net.published_name(n) for n in net.state_dict()]
    assert len(set(names)) == len(names)
    assert "cells.0.edges.2<-1.3.op.1.weight" in names
