"""The time left of a run, from its progress file."""

from typing import Any

import pytest

from harness.cli.progress import _estimate_time_left


@pytest.mark.parametrize(
    ("recorded", "steps", "wall_s", "left"),
    [
        (0, 0, 1.0, ""),
        (1, 0, 5.0, ""),  # epoch 0 says nothing of the others
        (1, 30, 30.0, "16 min 10 s left"),  # 0.3 of 10 epochs in 30 s
        (2, 0, 100.0, "15 min 00 s left"),
        (2, 50, 150.0, "14 min 10 s left"),  # the same speed within an epoch as at its end
        (11, 0, 1000.0, "0 s left"),
    ],
)
def test_time_left_counts_steps(recorded: int, steps: int, wall_s: float, left: str) -> None:
    told: dict[str, Any] = {"recorded": recorded, "epochs": 11, "steps": steps, "wall_s": wall_s}
    assert _estimate_time_left(told | {"steps_per_epoch": 100}) == left


def test_time_left_without_steps() -> None:
    assert _estimate_time_left(None) == ""
    assert (
        _estimate_time_left({"recorded": 3, "epochs": 11, "steps": 5, "wall_s": 20.0, "steps_per_epoch": None})
        == "1 min 20 s left"
    )
