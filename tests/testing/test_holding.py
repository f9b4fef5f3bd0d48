"""A contract that is broken says which property, by which value, within which tolerance."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from harness.search.regularizers.base import Regularizer
from harness.search.steps import WeightStep
from harness.spaces.base import Architecture
from harness.spaces.nasbench201.space import NASBench201
from harness.testing.contracts import RegularizerContract, SpaceContract
from harness.testing.holding import hold, hold_among, hold_close, hold_finite, hold_that


class Off(Regularizer):
    """Weights that sum to more than one."""

    name = "off"
    neutral: dict[str, Any] = {}  # noqa: RUF012

    def perturb(self, mix: list[Tensor], step: WeightStep) -> list[Tensor]:
        return [m + 0.01 for m in mix]


class Forgetful(NASBench201):
    """A space that reads another architecture than was written."""

    def parse(self, encoding: str) -> Architecture:
        return super().parse(encoding.replace("none", "skip_connect"))


def test_a_broken_regularizer_is_told() -> None:
    contract = RegularizerContract()
    contract.space, contract.regularizer, contract.neutral = NASBench201(), Off(), Off()
    with pytest.raises(AssertionError, match=r"sum to one: tensor 0 is apart by up to 0\.05, tolerance 1e-05"):
        contract.test_rows_stay_on_the_simplex()
    with pytest.raises(AssertionError, match=r"nothing is changed: tensor 0 is apart by up to 0\.01, tolerance 0"):
        contract.test_zero_strength_changes_nothing()


def test_a_broken_space_is_told() -> None:
    contract = SpaceContract()
    contract.space = Forgetful()
    with pytest.raises(AssertionError, match=r"an encoding parses back: found Architecture\(.*, wanted Architecture\("):
        contract.test_encodings_parse_back()


def test_words() -> None:
    nan = torch.tensor([1.0, float("nan")])
    for call, told in (
        (lambda: hold("as many", 1, 2), "as many: found 1, wanted 2"),
        (lambda: hold_that("forward", False, (2, 1)), r"forward: found \(2, 1\)"),
        (lambda: hold_among("known", {"a", "b"}, {"b"}), "known: found a, wanted of b"),
        (lambda: hold_finite("finite", [nan]), "finite: 1 of 2 numbers of tensor 0 are not finite"),
        (lambda: hold_close("equal", [nan], [nan[:1]]), r"another shape: found \(2,\), wanted \(1,\)"),
        (lambda: hold_close("equal", [nan], []), "equal: found 1 tensors, wanted 0"),
        (lambda: hold_close("equal", [nan], [nan], 1.0), "apart by up to nan, tolerance 1"),
    ):
        with pytest.raises(AssertionError, match=told):
            call()
    hold_close("close", [torch.ones(2)], [torch.ones(2) + 1e-7], 1e-6)
