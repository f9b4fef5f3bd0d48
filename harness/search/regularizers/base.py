"""What a regularizer may do, and what it is given to do it with. Every hook is a no-op by default."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from harness.core.lazy import torch
from harness.core.registry import Plugin, Registry
from harness.search.naming import Recipes
from harness.search.searchers.base import ARCHITECTURE_STEPS, Counted
from harness.search.state import DROPPED, SearchState
from harness.search.steps import ArchitectureStep, Moment, WeightStep
from harness.search.training import Training
from harness.spaces.base import Architecture
from harness.spaces.blocks.mix import Mix, make_one_hot

if TYPE_CHECKING:
    from torch import Tensor

    from harness.spaces.blocks.supernet import Supernet

REGULARIZERS = Registry("regularizers", "harness.search.regularizers")


class Regularizer(Plugin):
    """A stabilizer of the search. Fields are its hyperparameters.

    recipes: how its paper trains. neutral: fields with which the search is DARTS, bit for bit. needs: what the searcher
    must offer (see `SupernetSearcher`) for the combination to mean something. counts: see there, where the method's
    code differs. replays: whether a step with it may be captured and replayed (see there, too). omits: whether steps
    come to leave operations out, which then have no gradient; whole: whether it needs that of every operation.
    without_alpha: whether it searches without alpha, at mixing weights of its own. asks: what the networks of a space
    must have (see `Space.has`). stacks: as a searcher's.
    """

    recipes: ClassVar[Recipes] = {}
    neutral: ClassVar[dict[str, Any]]
    needs: ClassVar[tuple[str, ...]] = ()
    counts: ClassVar[Counted | None] = None
    replays: ClassVar[bool] = True
    omits: ClassVar[bool] = False
    whole: ClassVar[bool] = False
    without_alpha: ClassVar[bool] = False
    asks: ClassVar[tuple[str, ...]] = ()
    stacks: ClassVar[bool] = False

    @property
    def holds_alpha(self) -> bool:
        """Whether it lets no architecture step be taken, ever."""
        return False

    @property
    def of_alpha(self) -> bool:
        """Whether it is of no use where there is no alpha: it moves it, reads it, or changes its steps."""
        return ARCHITECTURE_STEPS in self.needs or type(self).alpha_loss is not Regularizer.alpha_loss

    def passes(self) -> tuple[int, int]:
        """Forward and backward passes that it adds to a step."""
        return (0, 0)

    def settings(self, training: Training) -> Training:
        """The training settings as this regularizer changes them."""
        return training

    def supernet_options(self) -> dict[str, Any]:
        """Options of `build_supernet`."""
        return {}

    def begin_epoch(self, net: Supernet, moment: Moment) -> None:
        """Set what changes in the network from epoch to epoch."""

    def after_epoch(self, search: SearchState, moment: Moment) -> None:
        """Look at the search after an epoch; keep what is to be remembered in `search.memory`, stop it by
        `search.stop_at`."""

    def derive(self, search: SearchState) -> Architecture | None:
        """The architecture of the logits, where the method has a rule of its own for it."""
        return None

    def select(self, search: SearchState) -> Architecture | None:
        """The architecture to record after `search.trained` epochs, where it is not the derived one. Leaves the search
        as it was."""
        return None

    def alpha_moves(self, moment: Moment) -> bool:
        """Whether architecture steps are taken in this epoch."""
        return True

    def before_architecture_step(self, step: ArchitectureStep, mix: Callable[[], Mix]) -> None:
        """Look at an architecture step that is about to be taken. mix: gives the mixing weights that it starts from."""

    def alpha_gradients(self, gradients: list[Tensor]) -> list[Tensor]:
        """The gradients by which the logits are moved, changed."""
        return gradients

    def augment(self, images: Tensor, generator: torch.Generator, moment: Moment) -> Tensor:
        """The images [batch, channels, height, width] of a training batch, changed."""
        return images

    def perturb(self, mix: list[Tensor], step: WeightStep) -> list[Tensor]:
        """The mixing weights at which the weight step is taken, given the unperturbed ones (without gradient)."""
        return mix

    def weight_gradients(
        self, gradients: list[Tensor | None], mix: list[Tensor], step: WeightStep
    ) -> list[Tensor | None]:
        """The gradient of each weight, changed before it is clipped; None leaves the weight as it is, without decay."""
        return gradients

    def alpha_loss(self, alphas: list[Tensor], moment: Moment) -> Tensor | None:
        """A term added to the validation loss of the architecture step, differentiable in the logits."""
        return None


def compute_penalty(regularizers: Sequence[Regularizer], moment: Moment, alphas: Sequence[Tensor]) -> Tensor | None:
    """The sum of all terms that are added to the validation loss; None where there are none."""
    terms = [r.alpha_loss(list(alphas), moment) for r in regularizers]
    present = [t for t in terms if t is not None]
    return torch.stack(present).sum() if present else None


def keep_only(search: SearchState, tensor: int, row: int, kept: Sequence[int]) -> None:
    """Drop every option of a choice but these, and put the logits of these at zero."""
    with torch.no_grad():
        search.alphas[tensor][row] = DROPPED
        search.alphas[tensor][row, list(kept)] = 0.0


def project_onto_simplex(rows: Tensor) -> Tensor:
    """Rows clamped to [0, 1] and divided by their sum; a row that clamps to zero becomes one at its largest entry.

    The published `clip` of SmoothDARTS. rows: [choices, options].
    """
    clamped = rows.clamp(0.0, 1.0)
    empty = clamped.sum(dim=-1, keepdim=True) == 0
    clamped = clamped.where(~empty, make_one_hot(rows))
    return clamped / clamped.sum(dim=-1, keepdim=True)
