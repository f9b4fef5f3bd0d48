"""The numbers that a search is trained in."""

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.arithmetic import use_precision
from harness.search.methods import build_method
from harness.spaces.base import SPACES
from harness.testing.contracts import make_small_search

SPACE_LIST = ["nasbench201", "nasbench1shot1.s1"]
CPU = torch.device("cpu")


def in_precision(precision: str, space: str, name: str = "darts") -> tuple[float, Any]:
    search = make_small_search(build_method(name), SPACES.find(space)())
    search.training = search.training.model_copy(update={"precision": precision})
    loss = search.train_epoch(1, lambda: None)["train_loss"]
    return loss, search


@pytest.mark.parametrize("space", SPACE_LIST)
@pytest.mark.parametrize("name", ["darts", "sdarts-adv", "darts-2nd", "pc-darts"])
def test_bf16_is_near_and_not_the_same(space: str, name: str) -> None:
    exact, _ = in_precision("fp32", space, name)
    rounded, search = in_precision("bf16", space, name)
    assert rounded != exact
    assert rounded == pytest.approx(exact, rel=0.02)
    kept = [*search.net.parameters(), *search.net.buffers()]
    assert {t.dtype for t in kept if t.is_floating_point()} == {torch.float32}
    assert search.evaluate() == search.evaluate()


def test_fp32_is_not_rounded_and_the_choice_is_undone() -> None:
    torch.backends.cudnn.allow_tf32 = True  # PyTorch's default
    with use_precision("fp32", CPU):
        assert not torch.backends.cudnn.allow_tf32
        with use_precision("tf32", CPU):
            assert torch.backends.cudnn.allow_tf32
            assert torch.backends.cuda.matmul.allow_tf32
        assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32


def test_precision_is_part_of_the_run(small_study: Path, tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(main, ["plan", str(small_study), "--format", "csv", "--out", str(tmp_path)])
    rounded = runner.invoke(
        main, ["plan", str(small_study), "--format", "csv", "--out", str(tmp_path), "--precision", "bf16"]
    )
    assert listed.exit_code == rounded.exit_code == 0
    assert listed.output != rounded.output  # other runs, in other folders
    same = runner.invoke(
        main, ["plan", str(small_study), "--format", "csv", "--out", str(tmp_path), "--precision", "fp32"]
    )
    assert same.output == listed.output


def test_tf32_without_its_device_is_an_error(small_study: Path, tmp_path: Path) -> None:
    arguments = ["run", str(small_study), "--out", str(tmp_path), "--device", "cpu", "--precision", "tf32"]
    found = CliRunner().invoke(main, arguments)
    assert found.exit_code == 2
    assert "precision 'tf32' is there on CUDA devices alone, not on 'cpu': choose fp32 or bf16" in found.output
