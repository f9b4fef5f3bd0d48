"""A slip in somebody's own space or network is a sentence at `plan`, with the place in their code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor, nn

from harness.core.errors import HarnessError
from harness.runs.check import check_study
from harness.runs.study import Study, load_study
from harness.spaces.base import Networks
from harness.spaces.blocks.supernet import Supernet
from harness.spaces.fit import check_space
from harness.spaces.nasbench201.space import NASBench201


def test_what_is_here_fits() -> None:
    check_space(NASBench201())


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ({"zero": "nothing"}, "zero of the space nasbench201 names 'nothing', which no choice offers"),
        ({"parameter_free": ("none", "pool")}, "parameter_free of the space nasbench201 names 'pool'"),
        ({"operations": ("none",)}, "offers 'avg_pool_3x3', which `operations` lacks"),
        ({"mix": lambda self, a: [np.zeros((6, 4))]}, r"shapes \(\(6, 4\),\), and its tensors declare \(\(6, 5\),\)"),
        ({"mix": lambda self, a: [np.eye(5)[[0] * 6]]}, r"derive\(mix\(\.\.\)\) of the space nasbench201 makes .* of "),
        ({"parse": lambda self, e: self.at(0)}, r"parse of the space nasbench201 makes .* it has to give the arch"),
        ({"graph": lambda self, a: a.edges}, r"fails: AttributeError in .*test_fit\.py, line \d+: 'Architecture'"),
    ],
)  # fmt: skip
def test_a_slip_is_a_sentence(slip: dict[str, Any], message: str) -> None:
    if "operations" in slip:
        slip |= {"parameter_free": (), "zero": "none", "skip": None}
    with pytest.raises(HarnessError, match=message):
        check_space(type("Own", (NASBench201,), slip)())


def test_an_encoding_that_its_own_space_refuses() -> None:
    def parse(self: NASBench201, encoding: str) -> Any:
        raise HarnessError("no such operation")

    with pytest.raises(HarnessError, match=r"refuses '.*', its own encoding: no such operation"):
        check_space(type("Own", (NASBench201,), {"parse": parse})())


class Own(Supernet):
    """A network with three channels of images, whatever they have."""

    mixed_cells, partial_channels, expected, scores = 1, 1, 3, 0

    def __init__(self, *, channels: int, cells: int, classes: int, image_channels: int) -> None:
        super().__init__()
        self.stem = nn.Conv2d(self.expected, self.scores or classes, 3, padding=1)

    def forward(self, x: Tensor, mix: Any) -> Tensor:
        return self.stem(x).mean((2, 3)) * mix[0].sum()


def study_with(study: Path, monkeypatch: pytest.MonkeyPatch, network: type[Supernet]) -> Study:
    monkeypatch.setattr(NASBench201, "networks", lambda self: Networks(network))
    return load_study(study, ["methods=['darts']"])


@pytest.mark.parametrize(
    ("slips", "message"),
    [
        ({}, r"fails on 2 images of .*: RuntimeError in .*test_fit\.py, line \d+: Given groups=1"),
        ({"expected": 1, "scores": 7}, r"gives \[2, 7\] for 2 images of \d+ classes: it has to give \[2, \d+\]"),
        ({"__init__": lambda self, **sizes: sizes["depth"]}, r"KeyError in .*test_fit\.py, line \d+: 'depth'"),
    ],
)  # fmt: skip
def test_a_network_that_fails_says_where(
    slips: dict[str, Any], message: str, small_study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = study_with(small_study, monkeypatch, type("Slip", (Own,), slips))
    with pytest.raises(HarnessError, match=message):
        check_study(study, study.runs)
