import gzip
import time
from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1
from harness.spaces.nasbench201.cell import list_official_cells, to_string
from harness.spaces.nasbench201.space import NASBench201
from harness.tables.formats.tidy import import_tidy
from harness.tables.measure import Measure

HEAD = "arch,dataset,split,epochs,trial,accuracy\n"
A, B = (to_string(c) for c in list_official_cells()[:2])


def add(folder: Path, text: str, **options: object):  # type: ignore[no-untyped-def]
    path = folder / "mine.csv"
    path.write_text(text)
    settings = {"space": NASBench201(), "test": None} | options
    return import_tidy(path, folder / "table", **({"about": {"title": "t"}} | settings))  # type: ignore[arg-type]


def test_any_order_of_columns_and_rows(tmp_path: Path) -> None:
    table = add(
        tmp_path, f"accuracy,arch,trial,epochs,split,dataset,note\n91.5,{B},2,10,test,d,x\n90,{A},1,10,test,d,\n"
    )
    assert table.test == Measure("d", "test", 10)
    assert table.trials(table.test) == [1, 2]
    assert table.lookup(NASBench201().parse(B), "d/test@10") == 91.5


def test_module_hashes_merge_isomorphic_encodings(tmp_path: Path) -> None:
    one = "1:maxpool3x3(0)|2:maxpool3x3(0,1)|3:conv1x1-bn-relu(0,1)|4:maxpool3x3(0,1)|out(0,1)"
    same = "1:maxpool3x3(0)|2:conv3x3-bn-relu(0,1)|3:maxpool3x3(0,1)|4:maxpool3x3(0,1)|out(0,1)"
    table = add(tmp_path, HEAD + f'"{one}",d,test,1,0,50\n', space=NASBench1Shot1S1())
    assert table.lookup(NASBench1Shot1S1().parse(same), "d/test@1") == 50


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (f"{A},d,test,10,1,101\n", r"line 2: accuracy = 101 is outside 0\.\.100 %"),
        (f"{A},d,test,10,1,-1\n", "line 2: accuracy = -1 is outside"),
        (f"{A},d,test,10,1,nan\n", "line 2: accuracy = nan is outside"),
        (f"{A},d,test,10,1,\n", "line 2: accuracy = '' is no number"),
        (f"{A},d,test,10,1,50\n{A},d,test,10,1,51\n", "line 3: a second value for .* in d/test@10, trial 1"),
        (f"{A},d,test,0,1,50\n", "line 2: epochs = '0' is no positive whole number"),
        (f"{A},d,test,10,last,50\n", "line 2: trial = 'last' is neither a seed nor 'mean'"),
        (f"{A},,test,10,1,50\n", "line 2: dataset and split must not be empty"),
        (f"{A},d,test,10,1,50\n{A[:-3]},d,test,10,1,51\n", "line 3: .* is no NAS-Bench-201 architecture"),
        (f"{A},d,test,10,1,50\n{A},d,valid,10,1,51\n", "holds several measures: say which one judges a search, --test"),
        ("", "has a header but no rows"),
    ],
)
def test_the_first_impossible_row_is_named(tmp_path: Path, rows: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        add(tmp_path, HEAD + rows)
    assert not (tmp_path / "table").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["mine.csv"]


def test_unusable_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="lacks the column 'trial'"):
        add(tmp_path, "arch,dataset,split,epochs,accuracy\n")
    with pytest.raises(HarnessError, match="no table file at"):
        import_tidy(tmp_path / "absent.csv", tmp_path / "t", NASBench201(), about={})
    whole = gzip.compress((HEAD + f"{A},d,test,10,1,50\n" * 2000).encode())
    (tmp_path / "cut.csv.gz").write_bytes(whole[:-30])
    with pytest.raises(HarnessError, match="is not a readable CSV, or is truncated"):
        import_tidy(tmp_path / "cut.csv.gz", tmp_path / "t", NASBench201(), about={})
    with pytest.raises(HarnessError, match="holds no d/valid@10: it holds d/test@10"):
        add(tmp_path, HEAD + f"{A},d,test,10,1,50\n", validation=Measure("d", "valid", 10))


def test_a_line_of_very_many_columns_is_refused_at_once(tmp_path: Path) -> None:
    """Telling 100,000 columns of one name apart took minutes."""
    began = time.process_time()
    with pytest.raises(HarnessError, match="has 100,000 columns: a tidy table has arch, dataset"):
        add(tmp_path, ",".join(["a"] * 100_000) + "\n")
    assert time.process_time() - began < 10


def test_measures_are_written_as_text() -> None:
    assert Measure.parse("cifar10-valid/x-valid@200") == Measure("cifar10-valid", "x-valid", 200)
    for wrong in ("cifar10", "cifar10/x-valid", "a/b@c", "/b@1"):
        with pytest.raises(HarnessError, match="is no measure: write dataset/split@epochs"):
            Measure.parse(wrong)
