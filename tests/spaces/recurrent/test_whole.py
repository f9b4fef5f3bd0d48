"""What is computed in one piece of code has the bits of what is computed row after row, operation after operation."""

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from harness.core.streams import Streams
from harness.search.build import build_search
from harness.search.methods import build_method
from harness.search.training import Training
from harness.spaces.blocks.sequences import Stretch
from harness.spaces.recurrent import fast, whole
from harness.spaces.recurrent.decoder import WordLoss, compute_word_loss
from harness.spaces.recurrent.space import make_space_of_nodes


def take_steps(expression: str, columns: int, channels: int) -> list[torch.Tensor]:
    """Losses of two steps of a search in float32, and all that they left."""
    space, words = make_space_of_nodes(4)(), 31
    search = build_search(
        space,
        build_method(expression),
        channels=channels,
        cells=1,
        classes=words,
        image_channels=0,
        epochs=3,
        streams=Streams(0),
        training=Training(learning_rate=5.0, learning_rate_min=5.0, momentum=0.0, gradient_clip=0.25),
        preset=space.presets["official"],
    )
    search.net.train()
    tokens = torch.randint(words, (2, 6, columns), generator=torch.Generator().manual_seed(1))
    batches = [(Stretch(t[:-1], torch.zeros(columns, channels)), t[1:].flatten()) for t in tokens]
    losses = [search.step(batches[0], batches[1], 0, 5.0) for _ in range(2)]
    return [*losses, *search.weights, *search.alphas, *search.net.buffers(), batches[0][0].left]


@pytest.mark.parametrize("block", [1, whole.BLOCK])
@pytest.mark.parametrize("expression", ["darts", "darts + awd", "darts-2nd + awd", "sdarts-adv + awd"])
def test_a_search_has_the_bits_of_the_cell_row_by_row(
    expression: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """block: one state at a time, and all of them."""
    monkeypatch.setattr(whole, "BLOCK", block)
    ours = take_steps(expression, 20, 24)
    monkeypatch.delattr(fast.FastRecurrentSupernet, "pass_rows")
    monkeypatch.delattr(fast.FastRecurrentSupernet, "word_loss")
    for mine, theirs in zip(ours, take_steps(expression, 20, 24), strict=True):
        assert torch.equal(mine, theirs)


def test_the_loss_of_words_has_the_bits_of_the_usual_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.spaces.recurrent.decoder.BLOCK", 500)  # several, the last one short
    drawn = torch.Generator().manual_seed(0)
    x, embedding, bias = (torch.randn(shape, generator=drawn) for shape in ((70, 12), (41, 12), (41,)))
    labels = torch.randint(41, (70,), generator=drawn)
    leaves = [t.requires_grad_() for t in (x, embedding, bias)]
    ours, usual = compute_word_loss(*leaves, labels), F.cross_entropy(F.linear(*leaves), labels)
    assert torch.equal(ours, usual)
    for mine, theirs in zip(torch.autograd.grad(ours, leaves), torch.autograd.grad(usual, leaves), strict=True):
        assert torch.equal(mine, theirs)
    with torch.no_grad():
        assert torch.equal(compute_word_loss(*leaves, labels), usual)


def test_no_gradient_is_computed_that_nobody_wants(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the weights in an architecture step and in an attack."""
    wanted: list[Any] = []
    forward = WordLoss.forward

    def watched(ctx: Any, *given: Any) -> Any:
        wanted.append(tuple(ctx.needs_input_grad))
        return forward(ctx, *given)

    monkeypatch.setattr(WordLoss, "forward", staticmethod(watched))
    take_steps("sdarts-adv + awd", 5, 4)
    for_states, for_all, for_nothing = (True, False, False, False), (True, True, True, False), (False,) * 4
    assert set(wanted) == {for_states, for_all, for_nothing}
    assert wanted.count(for_all) == 2
