"""TFRecord files, and the metrics that NAS-Bench-101 keeps in them, without TensorFlow.

A record is its length (uint64), a masked CRC-32C of the length, the data, a masked CRC-32C of the data, all
little-endian (TensorFlow, core/lib/io/record_writer.h). Every byte of the file is covered by one of the checksums.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import google_crc32c

from harness.core.errors import HarnessError

BUFFER = 1 << 22
MASK_DELTA = 0xA282EAD8


def compute_masked_crc(data: bytes) -> int:
    """CRC-32C, rotated and shifted, as TFRecord stores it."""
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + MASK_DELTA) & 0xFFFFFFFF


def frame_record(data: bytes) -> bytes:
    """A record around data."""
    length = struct.pack("<Q", len(data))
    return b"".join(
        (length, struct.pack("<I", compute_masked_crc(length)), data, struct.pack("<I", compute_masked_crc(data)))
    )


def read_records(path: Path) -> Iterator[tuple[int, bytes]]:
    """Each record's number (from 1) and data; an error names the record and byte where the file is damaged or ends."""
    number, place = 0, 0
    with path.open("rb", buffering=BUFFER) as stream:
        while head := stream.read(12):
            number += 1
            where = f"{path}, record {number} at byte {place:,}"
            if len(head) < 12:
                raise HarnessError(f"{where}: the file ends after {len(head)} bytes of its head: download it again")
            length, crc = struct.unpack("<QI", head)
            if compute_masked_crc(head[:8]) != crc:
                raise HarnessError(f"{where}: the checksum of its length is wrong: the file is damaged")
            body = stream.read(length + 4)
            if len(body) < length + 4:
                raise HarnessError(
                    f"{where}: the file ends at byte {place + 12 + len(body):,}, inside of it: download it again"
                )
            data = body[:-4]
            if compute_masked_crc(data) != int.from_bytes(body[-4:], "little"):
                raise HarnessError(f"{where}: the checksum of its data is wrong: the file is damaged")
            yield number, data
            place += 16 + length


class EvaluationData(NamedTuple):
    """One evaluation of a training (message EvaluationData, fields 1 to 5): time in seconds, accuracies in 0..1."""

    epoch: float
    training_seconds: float
    train: float
    validation: float
    test: float


def parse_metrics(data: bytes) -> tuple[list[EvaluationData], int]:
    """Evaluations and number of trainable parameters of a serialized ModelMetrics message (protobuf wire format)."""
    evaluations: list[EvaluationData] = []
    parameters = 0
    for field, value in iterate_fields(data):
        if field == 1 and isinstance(value, bytes):
            found = {f: v for f, v in iterate_fields(value) if isinstance(v, float)}
            evaluations.append(EvaluationData(*(found.get(i, 0.0) for i in range(1, 6))))
        elif field == 2 and isinstance(value, int):
            parameters = value
    return evaluations, parameters


def iterate_fields(data: bytes) -> Iterator[tuple[int, int | float | bytes]]:
    """The (number, value) of each field of a message: varint, double, and length-delimited fields."""
    place = 0
    while place < len(data):
        tag, place = read_varint(data, place)
        kind = tag & 7
        if kind == 0:
            value, place = read_varint(data, place)
            yield tag >> 3, value
        elif kind == 1 and place + 8 <= len(data):
            yield tag >> 3, struct.unpack_from("<d", data, place)[0]
            place += 8
        elif kind == 2:
            length, place = read_varint(data, place)
            if place + length > len(data):
                raise ValueError("a field is longer than its message")
            yield tag >> 3, data[place : place + length]
            place += length
        else:
            raise ValueError(f"field of wire type {kind}")


def read_varint(data: bytes, place: int) -> tuple[int, int]:
    """The number at a place, and the place behind it."""
    value = 0
    for shift in range(0, 64, 7):
        if place >= len(data):
            break
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise ValueError("a number does not end")
