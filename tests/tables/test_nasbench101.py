"""NAS-Bench-101's official files: what is written in their layout reads back exactly, and nothing damaged gets in."""

import base64
import csv
import gzip
import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.spaces.nasbench1shot1.nasbench101 import NB101_OPERATIONS
from harness.spaces.nasbench1shot1.space import NASBench1Shot1S1, NASBench1Shot1S2, NASBench1Shot1S3
from harness.tables.formats.nasbench101 import convert_nasbench101
from harness.tables.formats.tfrecord import compute_masked_crc, frame_record, parse_metrics, read_records
from harness.tables.table import Table

EPOCHS = (4, 12, 36, 108)
NAMES = {"i": "input", "o": "output", "3": "conv3x3-bn-relu", "1": "conv1x1-bn-relu", "2": "maxpool3x3"}


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def metrics(evaluations: list[tuple[float, ...]], parameters: int, total: float) -> bytes:
    """ModelMetrics in protobuf's wire format, written from the published .proto."""
    out = b""
    for evaluation in evaluations:
        body = b"".join(bytes([8 * i + 1]) + struct.pack("<d", v) for i, v in enumerate(evaluation, start=1))
        body += b"\x32" + varint(4) + b"ckpt"
        out += b"\x0a" + varint(len(body)) + body
    return out + b"\x10" + varint(parameters) + b"\x19" + struct.pack("<d", total)


def training(row: dict[str, str], epochs: int, trial: int) -> tuple[bytes, list[tuple[float, ...]]]:
    """A record of a real cell. The data has one trial's validation accuracy; what it lacks is made of it."""
    valid, seconds = float(row[f"val_acc_{epochs}"]), float(row["train_time_108_s"]) * epochs / 108
    shift = 0.001 * trial
    evaluations = [
        (0.0, 0.0, 0.1, 0.1, 0.1),
        (epochs / 2, seconds / 2, valid * 0.9, valid * 0.8, valid * 0.7),
        (float(epochs), seconds + trial, min(1.0, valid * 1.01), max(0.0, valid - shift), valid * 0.99),
    ]
    n = int(row["vertices"])
    bits = iter(row["upper_triangle_bits"])
    matrix = "".join("0" if b <= a else next(bits) for a in range(n) for b in range(n))
    operations = ",".join(NAMES[c] for c in row["ops"])
    packed = base64.b64encode(metrics(evaluations, int(row["trainable_parameters"]), seconds * 2)).decode()
    return json.dumps([row["module_hash"], epochs, matrix, operations, packed]).encode(), evaluations


@pytest.fixture(scope="session")
def cells(shared_data: Path) -> list[dict[str, str]]:
    with gzip.open(shared_data / "nasbench101" / "nb101_30001.csv.gz", "rt") as stream:
        return list(csv.DictReader(stream))


def write(path: Path, cells: list[dict[str, str]], schedules: tuple[int, ...], trials: int) -> Path:
    with path.open("wb") as stream:
        for row in cells:
            for epochs in schedules:
                for trial in range(trials):
                    stream.write(frame_record(training(row, epochs, trial)[0]))
    return path


def convert(source: Path, folder: Path) -> list[Table]:
    return convert_nasbench101(source, folder, {"title": "t"}, lambda _: None)


@pytest.fixture(scope="session")
def tables(cells: list[dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> list[Table]:
    folder = tmp_path_factory.mktemp("nb101")
    return convert(write(folder / "nasbench_only108.tfrecord", cells, (108,), 3), folder / "nasbench101")


def test_checksum_is_crc32c() -> None:
    unmasked = (compute_masked_crc(b"123456789") - 0xA282EAD8) & 0xFFFFFFFF
    assert ((unmasked >> 17) | (unmasked << 15)) & 0xFFFFFFFF == 0xE3069283  # the check value of CRC-32C


def test_module_hash_is_that_of_the_official_code(cells: list[dict[str, str]]) -> None:
    from nasbench_pytorch.model.graph_util import hash_module
    from nasbench_pytorch.model.model_spec import ModelSpec

    rng = np.random.default_rng(0)
    for space in (NASBench1Shot1S1(), NASBench1Shot1S2(), NASBench1Shot1S3()):
        for cell in (space.random(rng) for _ in range(200)):
            pruned = ModelSpec(*space.matrix(cell))
            labels = [-1, *(NB101_OPERATIONS.index(op) for op in pruned.ops[1:-1]), -2]
            assert cell.key == hash_module(pruned.matrix.numpy(), labels)


def test_real_cells_read_back_exactly(cells: list[dict[str, str]], tables: list[Table]) -> None:
    table = tables[0]
    assert len(table) == len(cells) == 30_001
    for row in cells[:: len(cells) // 500]:
        cell = table.parse(row["module_hash"])
        for trial in range(3):
            _, (_, half, end) = training(row, 108, trial)
            for split, place in (("train", 2), ("valid", 3), ("test", 4)):
                assert table.lookup(cell, ("cifar10", split, 108), trial) == 100 * end[place]
                at_half = table.lookup(cell, ("cifar10", split, 108), trial, at=54)
                assert np.float32(at_half) == np.float32(100 * half[place])
            assert table.training_seconds(cell, table.validation, trial) == end[1]  # type: ignore[arg-type]
            assert np.float32(table.training_seconds(cell, table.test, trial, at=54)) == np.float32(half[1])
        assert table.costs(cell, "cifar10", 108) == {"parameters_M": int(row["trainable_parameters"]) / 1e6}
    everyone = table.row_values(table.validation, 0)[table.rows([table.parse(r["module_hash"]) for r in cells])]  # type: ignore[arg-type]
    np.testing.assert_array_equal(everyone, [100 * float(r["val_acc_108"]) for r in cells])


def test_epochs_that_were_not_evaluated_are_refused(tables: list[Table], cells: list[dict[str, str]]) -> None:
    cell = tables[0].parse(cells[0]["module_hash"])
    with pytest.raises(HarnessError, match="the curve of cifar10/test@108 has no epoch 55: it has 54, 108"):
        tables[0].lookup(cell, "cifar10/test@108", at=55)


@pytest.mark.parametrize(
    ("place", "kind", "emitted"), [(1, NASBench1Shot1S1, 153), (2, NASBench1Shot1S2, 236), (3, NASBench1Shot1S3, 1273)]
)
def test_views_hold_their_spaces(
    place: int, kind: type[NASBench1Shot1S1], emitted: int, tables: list[Table], cells: list[dict[str, str]]
) -> None:
    """The file has the cells that the published generator emits, which are not all that the space has."""
    view, known = tables[place], {r["module_hash"]: float(r["val_acc_108"]) for r in cells}
    assert (view.name, len(view)) == (kind.name, kind.distinct)
    present = known.keys() & kind().distinct_architectures()
    assert len(present) >= emitted
    values = view.row_values(view.validation, 0)  # type: ignore[arg-type]
    assert (~np.isnan(values)).sum() == len(present)
    assert set(view.missing().values()) == {kind.distinct - len(present)}
    best = max(present, key=lambda key: known[key])
    found = view.optimum(view.validation, 0)  # type: ignore[arg-type]
    assert found.accuracy_pct == 100 * known[best]
    assert known[view.space.parse(found.encoding).key] == known[best]


def test_all_schedules_and_missing_trials(cells: list[dict[str, str]], tmp_path: Path) -> None:
    path = write(tmp_path / "full.tfrecord", cells[:50], EPOCHS, 2)
    table = convert(path, tmp_path / "t")[0]
    assert {m.epochs for m in table.measures} == set(EPOCHS)
    cell = table.parse(cells[7]["module_hash"])
    for epochs in EPOCHS:
        first, second, third = table.lookup(cell, ("cifar10", "valid", epochs), "all")
        assert first == 100 * float(cells[7][f"val_acc_{epochs}"])
        assert np.isnan(third)
        assert table.lookup(cell, ("cifar10", "valid", epochs)) == (first + second) / 2


def test_too_many_trials_are_refused(cells: list[dict[str, str]], tmp_path: Path) -> None:
    path = write(tmp_path / "four.tfrecord", cells[:1], (108,), 4)
    with pytest.raises(HarnessError, match=r"record 4: .*has a fourth training of 108 epochs"):
        convert(path, tmp_path / "t")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not json", "record 1: it is no training of NAS-Bench-101"),
        (b'["00", 108, "", "", ""]', "'00' is no module hash"),
        (json.dumps(["0" * 32, 107, "", "", ""]).encode(), "107 epochs"),
        (json.dumps(["0" * 32, 108, "", "", "!!"]).encode(), "no training of NAS-Bench-101"),
        (
            json.dumps(["0" * 32, 108, "", "", base64.b64encode(b"\x0a\x7f").decode()]).encode(),
            "longer than its message",
        ),
        (json.dumps(["0" * 32, 108, "", "", ""]).encode(), "evaluated at epochs \\[\\] of 108"),
    ],
)
def test_other_content_is_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.tfrecord"
    path.write_bytes(frame_record(content))
    with pytest.raises(HarnessError, match=message):
        convert(path, tmp_path / "t")


def small_file(tmp_path: Path, cells: list[dict[str, str]]) -> bytes:
    return write(tmp_path / "small.tfrecord", cells[:6], (108,), 1).read_bytes()


def read_all(path: Path) -> list[bytes]:
    return [data for _, data in read_records(path)]


def test_every_flipped_byte_is_detected_and_named(cells: list[dict[str, str]], tmp_path: Path) -> None:
    whole = small_file(tmp_path, cells)
    starts = [0]
    for data in read_all(tmp_path / "small.tfrecord"):
        starts.append(starts[-1] + 16 + len(data))
    bad = tmp_path / "bad.tfrecord"
    rng = random.Random(0)
    for place in range(0, len(whole), 3):
        flipped = bytearray(whole)
        flipped[place] ^= rng.randrange(1, 256)
        bad.write_bytes(flipped)
        record = sum(start <= place for start in starts)
        with pytest.raises(HarnessError, match=rf"record {record} at byte {starts[record - 1]:,}: the checksum of its"):
            read_all(bad)


def test_a_truncated_file_says_where_it_ends(cells: list[dict[str, str]], tmp_path: Path) -> None:
    whole = small_file(tmp_path, cells)
    bad = tmp_path / "bad.tfrecord"
    sizes = np.cumsum([16 + len(d) for d in read_all(tmp_path / "small.tfrecord")]).tolist()
    for length in range(1, len(whole), 7):
        bad.write_bytes(whole[:length])
        if length in sizes:
            assert len(read_all(bad)) == sizes.index(length) + 1
        else:
            with pytest.raises(HarnessError, match=rf"the file ends (at byte {length:,}|after \d+ bytes)"):
                read_all(bad)


def mutations(whole: bytes, count: int) -> Iterator[bytes]:
    rng = random.Random(1)
    for _ in range(count):
        content = bytearray(whole)
        for _ in range(rng.choice((1, 1, 2, 8))):
            place, kind = rng.randrange(len(content) or 1), rng.randrange(4) if content else 2
            if kind == 0:
                content[place] = rng.randrange(256)
            elif kind == 1:
                del content[place : place + rng.randrange(1, 40)]
            elif kind == 2:
                content[place:place] = rng.randbytes(rng.randrange(1, 40))
            else:
                content = content[:place] or content
        yield bytes(content)


def test_fuzzed_files_give_a_sentence_or_the_right_answer(cells: list[dict[str, str]], tmp_path: Path) -> None:
    whole = small_file(tmp_path, cells)
    right = read_all(tmp_path / "small.tfrecord")
    bad = tmp_path / "bad.tfrecord"
    sentences = 0
    for content in mutations(whole, 1000):
        bad.write_bytes(content)
        try:
            assert read_all(bad) == right[: len(read_all(bad))]
        except HarnessError as error:
            sentences += 1
            assert str(error).startswith(f"{bad}, record ")
    assert sentences > 900


def test_fuzzed_metrics_never_crash(cells: list[dict[str, str]]) -> None:
    data = base64.b64decode(json.loads(training(cells[0], 108, 0)[0])[4])
    evaluations, parameters = parse_metrics(data)
    assert (len(evaluations), parameters) == (3, int(cells[0]["trainable_parameters"]))
    for content in mutations(data, 1000):
        try:
            parse_metrics(content)
        except ValueError:
            continue


def verify(table: Table, path: Path, *options: str) -> Result:
    return CliRunner().invoke(main, ["tables", "verify", str(table.folder), "--against", str(path), *options])


def test_cells_are_held_against_nasbench_pytorch(
    cells: list[dict[str, str]], tables: list[Table], tmp_path: Path
) -> None:
    path = tables[0].folder.parent / "nasbench_only108.tfrecord"
    done = verify(tables[0], path, "--sample", "40")
    assert done.exit_code == 0, done.output
    assert "80 numbers of 40 of 30,001 architectures beside the package's" in done.stdout
    wrong = [row | {"trainable_parameters": str(int(row["trainable_parameters"]) + 1)} for row in cells[:3]]
    other_path = write(tmp_path / "wrong.tfrecord", wrong, (108,), 1)
    done = verify(convert(other_path, tmp_path / "wrong")[0], path := other_path)
    assert done.exit_code == 1, done.output
    assert "3 differ" in done.stdout
    # the table of the right numbers against them
    right = convert(write(tmp_path / "right.tfrecord", cells[:3], (108,), 1), tmp_path / "right")[0]
    assert verify(right, path).exit_code == 0
    view = verify(tables[1], path)
    assert view.exit_code == 2 and "is a view of NAS-Bench-101: name the table of all cells" in view.stderr
