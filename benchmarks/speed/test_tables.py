"""Opening a table and asking it, beside the official APIs in the same run. `python benchmarks/speed/report.py`."""

from pathlib import Path
from typing import Any

import pytest

from harness.spaces.nasbench201.cell import list_official_cells, to_string
from harness.tables.table import Table

pytest.importorskip("pytest_benchmark")
INDEX = 11


@pytest.mark.benchmark(group="open a table of 15,625 architectures (nats_bench: of 3, the same without any data)")
class TestOpen:
    def test_harness(self, benchmark: Any, table: Table) -> None:
        assert len(benchmark(Table, table.folder)) == 15_625

    def test_nats_bench(self, benchmark: Any, archive: Path) -> None:
        import nats_bench

        benchmark(nats_bench.create, str(archive), "tss", fast_mode=True, verbose=False)


@pytest.mark.benchmark(group="mean test accuracy of one architecture over its three trials")
class TestLookup:
    def test_harness(self, benchmark: Any, table: Table) -> None:
        cell = table.space.parse(to_string(list_official_cells()[INDEX]))
        table.lookup(cell, table.test)  # builds the index of rows, once a process
        benchmark(table.lookup, cell, table.test)

    def test_nats_bench(self, benchmark: Any, nats_api: Any) -> None:
        benchmark(nats_api.get_more_info, INDEX, "cifar10", hp="200", is_random=False)

    def test_nas_bench_201(self, benchmark: Any, nas201_api: Any) -> None:
        benchmark(nas201_api.get_more_info, INDEX, "cifar10", hp="200", is_random=False)


@pytest.mark.benchmark(group="mean test accuracy of all 15,625 architectures (the APIs: of 3)")
class TestAll:
    def test_harness(self, benchmark: Any, table: Table) -> None:
        assert len(benchmark(table.vector, table.test)) == 15_625

    def test_nats_bench(self, benchmark: Any, nats_api: Any, contents: dict[int, Any]) -> None:
        benchmark(lambda: [nats_api.get_more_info(i, "cifar10", hp="200", is_random=False) for i in contents])


@pytest.mark.benchmark(group="cost of one architecture")
class TestCost:
    def test_harness(self, benchmark: Any, table: Table) -> None:
        cell = table.space.parse(to_string(list_official_cells()[INDEX]))
        assert benchmark(table.training_seconds, cell, table.validation) > 0

    def test_nats_bench(self, benchmark: Any, nats_api: Any) -> None:
        benchmark(nats_api.get_cost_info, INDEX, "cifar10", hp="200")
