"""The trained table: stacked networks are what they claim, and training goes on where it was killed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from harness.core.errors import HarnessError
from harness.report.datasheet import correct_for_trials, correlate_measurements, measure_noise, write_datasheet
from harness.spaces.nasbench1shot1.nasbench101 import NB101_OPERATIONS
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1, NASBench1Shot1S3
from harness.spaces.nasbench1shot1.stack import NASBench101Stack
from harness.spaces.nasbench201.cell import EDGES, canonicalize, keep_live_operations, list_official_cells
from harness.spaces.nasbench201.space import NASBench201
from harness.spaces.nasbench201.stack import NASBench201Stack
from harness.tables.catalog import open_table
from harness.tables.training.command import train_table
from harness.tables.training.recipe import TableRecipe
from harness.tables.training.train import group_stacks

CELLS = [(0, 0, 0, 0, 0, 0), (3, 1, 4, 2, 3, 0), (2, 2, 2, 2, 2, 2), (1, 0, 3, 4, 1, 3), (3, 3, 3, 3, 3, 3)]


def build(cells: list[tuple[int, ...]]) -> NASBench201Stack:
    return NASBench201Stack(cells, 0, channels=3, classes=7)


def plain_network(net: NASBench201Stack, place: int, cell: tuple[int, ...], x: Tensor) -> Tensor:
    """One network of the stack, written with ordinary convolutions from the stack's own parameters."""
    live = keep_live_operations(cell)

    def rows(name: str, index: int, count: int) -> Tensor:
        return net.parameters[name].view(count, -1, *net.parameters[name].shape[1:])[index]

    def conv(name: str, x: Tensor, index: int, stride: int = 1) -> Tensor:
        weight = net.parameters[f"{name}.conv"][index]
        k = round(weight.shape[-1] ** 0.5)
        return F.conv2d(x, weight.unflatten(-1, (k, k)), stride=stride, padding=k // 2)

    def bn(name: str, x: Tensor) -> Tensor:
        affine = f"{name}.scale" in net.parameters
        scale, shift = (rows(f"{name}.{k}", place, net.count) if affine else None for k in ("scale", "shift"))
        return F.batch_norm(x, None, None, scale, shift, training=True)

    x = bn("stem", conv("stem", x, place, stride=2))
    for stage in range(3):
        if stage:
            name = f"reduce{stage}"
            y = bn(f"{name}.a", conv(f"{name}.a", F.relu(x), place, stride=2))
            x = bn(f"{name}.b", conv(f"{name}.b", F.relu(y), place)) + conv(f"{name}.down", F.avg_pool2d(x, 2), place)
        nodes = [x]
        for target in (1, 2, 3):
            total = torch.zeros_like(x)
            for edge, (source, into) in enumerate(EDGES):
                op = live[edge]
                if into != target or op == 0:
                    continue
                if op == 1:
                    total = total + nodes[source]
                elif op == 4:
                    total = total + F.avg_pool2d(nodes[source], 3, 1, 1, count_include_pad=False)
                else:
                    name = f"cell{stage}.{edge}.{op}"
                    index = net.groups[edge][op].index(place)
                    total = total + F.batch_norm(conv(name, F.relu(nodes[source]), index), None, None, training=True)
            nodes.append(total)
        x = nodes[3]
    features = F.relu(bn("last", x)).mean((2, 3))
    return features @ net.parameters["head.weight"][place] + net.parameters["head.bias"][place, 0]


def test_a_stack_is_its_networks() -> None:
    net = build(CELLS)
    x = torch.randn(16, 1, 8, 16, generator=torch.Generator().manual_seed(0))
    logits = net(x)
    assert logits.shape == (5, 16, 7)
    for place, cell in enumerate(CELLS):
        assert torch.allclose(logits[place], plain_network(net, place, cell, x), atol=1e-4)


def test_a_nasbench101_stack_is_its_networks() -> None:
    """Against nasbench_pytorch's network (stem of stride 2, one cell a stack) with the stack's weights."""
    from nasbench_pytorch.model.model import Network

    space = NASBench1Shot1S3()
    rng = np.random.default_rng(1)
    specs = sorted({NASBench101Stack.specify(space.random(rng)) for _ in range(60)})
    x = torch.randn(16, 1, 8, 16, generator=torch.Generator().manual_seed(0))
    groups = NASBench101Stack.group(specs, 8)
    assert sum(map(len, groups)) == len(specs)
    for group in groups:
        net = NASBench101Stack(group, 0, channels=6, classes=7)
        generator = torch.Generator().manual_seed(1)
        for name, p in net.parameters.items():  # no scale of one and shift of zero: they would hide a mistake
            if not name.endswith("conv"):
                p.data += 0.1 * torch.randn(p.shape, generator=generator)
        logits = net(x)
        for place, (matrix, operations) in enumerate(group):
            names = ["input", *(NB101_OPERATIONS[op] for op in operations), "output"]
            plain = Network((np.array(matrix), names), 7, 1, 6, 3, 1)
            copy_weights(net, group, place, plain)
            assert torch.allclose(logits[place], plain(x), atol=1e-3)


def copy_weights(net: NASBench101Stack, group: list[Any], place: int, plain: Any) -> None:
    def copy(name: str, module: Any, index: int, count: int) -> None:
        conv, bn, _ = module.conv_bn_relu
        conv.weight.data = net.parameters[f"{name}.conv"][index].view(conv.weight.shape)
        bn.weight.data = net.parameters[f"{name}.scale"].view(count, -1)[index]
        bn.bias.data = net.parameters[f"{name}.shift"].view(count, -1)[index]

    plain.layers[0].conv_bn_relu[0].stride = (2, 2)
    copy("stem", plain.layers[0], place, net.count)
    operations = group[place][1]
    for stage, cell in enumerate(plain.layers[i] for i in (1, 3, 5)):
        for v, module in enumerate(cell.input_op):
            if v and net.matrix[0][v]:
                copy(f"cell{stage}.{v}.in", module, place, net.count)
        for v, op in enumerate(operations, start=1):
            if op != 2:
                same = [n for n, (_, ops) in enumerate(group) if ops[v - 1] == op]
                module = next(cell.vertex_op[v].children())
                copy(f"cell{stage}.{v}.{op}", module, same.index(place), len(same))
    plain.classifier.weight.data = net.parameters["head.weight"][place].T.contiguous()
    plain.classifier.bias.data = net.parameters["head.bias"][place, 0]


def test_isomorphic_cells_are_one_spec() -> None:
    space = NASBench1Shot1S1()
    specs = {a.key: NASBench101Stack.specify(a) for a in space.enumerate()}
    by_key: dict[str, set[Any]] = {}
    for architecture in list(space.enumerate())[::7]:
        by_key.setdefault(architecture.key, set()).add(NASBench101Stack.specify(architecture))
    assert all(len(found) == 1 for found in by_key.values())
    assert len(set(specs.values())) == 2_685


def test_networks_of_a_stack_do_not_touch_each_other() -> None:
    """Gradients and training of one network are the same alone and among others."""
    x = torch.randn(16, 1, 8, 16, generator=torch.Generator().manual_seed(0))
    y = torch.arange(16) % 7
    together, alone = build(CELLS), build(CELLS[1:2])
    results = []
    for net in (together, alone):
        optimizer = torch.optim.SGD(net.parameters.values(), lr=0.1, momentum=0.9)
        for _ in range(3):
            optimizer.zero_grad()
            (F.cross_entropy(net(x).flatten(0, 1), y.repeat(net.count), reduction="sum") / 16).backward()
            optimizer.step()
        results.append(net(x))
    assert torch.allclose(results[0][1], results[1][0], atol=1e-3)
    assert not torch.allclose(results[0][1], results[0][4], atol=1e-1)


def test_learning_rate_rises_and_falls_to_zero() -> None:
    recipe = TableRecipe()
    rates = [recipe.rate(step) for step in range(recipe.steps)]
    assert rates[0] == pytest.approx(recipe.learning_rate / recipe.warmup_steps)
    assert max(rates) == pytest.approx(recipe.learning_rate, rel=0.03)
    assert 0 < rates[-1] < recipe.learning_rate / 1000


def test_stacks_hold_every_distinct_cell_once() -> None:
    cells = [cell for stack in group_stacks(NASBench201(), TableRecipe()) for cell in stack]
    assert len({canonicalize(c) for c in cells}) == len(cells) == 4_930


OPTIONS = {"trials": "0..1", "share": "1/1", "limit": 6, "steps": 16, "device": "cpu"}


def test_training_resumes_and_assembles(tmp_path: Path) -> None:
    first = list(train_table(tmp_path / "work", NASBench201(), target=tmp_path / "t", **OPTIONS))  # type: ignore[arg-type]
    assert first[-1].startswith("wrote t: ")
    files = sorted((tmp_path / "work").glob("*.npz"))
    assert [f.name for f in files] == ["trial0-stack000.npz", "trial1-stack000.npz"]
    kept = files[0].stat().st_mtime_ns
    values = np.load(files[1])["curves"]
    files[1].unlink()
    list(train_table(tmp_path / "work", NASBench201(), target=tmp_path / "t2", **OPTIONS))  # type: ignore[arg-type]
    assert files[0].stat().st_mtime_ns == kept
    np.testing.assert_array_equal(np.load(files[1])["curves"], values)  # retrained to the same bits
    table = open_table(str(tmp_path / "t"))
    assert open_table(str(tmp_path / "t2")).fingerprint == table.fingerprint
    assert table.trials(table.test) == [0, 1]
    some = NASBench201().parse(table.encoding(0))
    assert table.lookup(some, table.test, 1) == pytest.approx(table.lookup(some, table.test, 1, at=4))
    write_datasheet(table)
    assert "Do not use it" in (tmp_path / "t" / "DATASHEET.md").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": "3..1"}, "--trials: seeds '3..1' count down"),
        ({"share": "3/2"}, "--share '3/2' cannot be read"),
        ({"device": "gpu"}, "unknown device 'gpu': choose auto, cpu or cuda:N"),
        ({"steps": 24}, "holds networks of another space or recipe"),
    ],
)
def test_wrong_options_are_explained(tmp_path: Path, change: dict[str, object], message: str) -> None:
    list(train_table(tmp_path / "work", NASBench201(), target=None, **OPTIONS | {"trials": "0"}))  # type: ignore[arg-type]
    with pytest.raises(HarnessError, match=message):
        list(train_table(tmp_path / "work", NASBench201(), target=None, **OPTIONS | change))  # type: ignore[arg-type]


def test_missing_or_damaged_stacks_are_named(tmp_path: Path) -> None:
    work = tmp_path / "work"
    list(train_table(work, NASBench201(), target=None, **OPTIONS | {"trials": "0"}))  # type: ignore[arg-type]
    (work / "trial0-stack000.npz").write_bytes(b"half")
    with pytest.raises(HarnessError, match=r"trial0-stack000\.npz is damaged"):
        list(train_table(work, NASBench201(), target=tmp_path / "t", **OPTIONS | {"trials": "0"}))  # type: ignore[arg-type]


def test_reliability_formulas() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=4000)
    one, two = (truth + rng.normal(size=4000) for _ in range(2))
    whole, better = correlate_measurements(one, two)
    assert whole == pytest.approx(0.48, abs=0.04)  # Spearman of a bivariate normal with r = 0.5
    assert better < whole
    assert correct_for_trials(0.5, 2) == pytest.approx(2 / 3)
    assert correct_for_trials(0.5, 1) == 0.5


class TestEmbeddedTable:
    """What is promised of `nasbench201.digits`."""

    table = open_table("nasbench201.digits")

    def test_is_complete(self) -> None:
        assert len(self.table) == 15_625
        assert self.table.missing() == {}
        assert self.table.info["about"]["recipe"] == TableRecipe().describe()

    def test_tells_cells_apart(self) -> None:
        found = measure_noise(self.table, self.table.test)
        assert found["distinct cells"] == 4_930
        assert found["mean_all"] >= 0.8
        assert found["mean_better_half"] >= 0.5

    def test_space_1_is_complete_and_tells_cells_apart(self) -> None:
        table = open_table("nasbench1shot1.s1.digits")
        assert (len(table), table.missing(), table.trials(table.test)) == (2_685, {}, [0, 1, 2])
        assert table.info["about"]["recipe"] == TableRecipe.of(NASBench1Shot1S1()).describe()
        assert {table.encoding(i) for i in range(0, 2_685, 100)} <= {a.encoding for a in NASBench1Shot1S1().enumerate()}
        found = measure_noise(table, table.test)
        assert found["distinct cells"] == 2_685
        assert found["mean_all"] >= 0.95
        assert found["mean_better_half"] >= 0.85

    def test_isomorphic_strings_share_their_value(self) -> None:
        values = self.table.row_values(self.table.test)[self.table.rows(list(NASBench201().enumerate()))]
        by_key: dict[str, set[float]] = {}
        for cell, value in zip(list_official_cells(), values.tolist(), strict=True):
            by_key.setdefault(canonicalize(cell), set()).add(value)
        assert all(len(v) == 1 for v in by_key.values())

    def test_a_cell_of_zeros_knows_nothing(self) -> None:
        space = NASBench201()
        zeros = space.parse("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")
        assert self.table.lookup(zeros, self.table.test) < 3  # 100 classes

    def test_curves_end_at_the_final_value(self) -> None:
        space = NASBench201()
        for cell in (space.parse(self.table.encoding(i)) for i in (0, 5000, 15_000)):
            final = self.table.lookup(cell, self.table.test, "all")
            np.testing.assert_array_equal(self.table.lookup(cell, self.table.test, "all", at=4), final)
