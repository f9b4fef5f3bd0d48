"""How a supernet is trained: the settings that the literature varies without saying so."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from harness.core.arithmetic import Precision
from harness.core.settings import Settings

Share = Annotated[float, Field(ge=0, lt=1)]


class Training(Settings):
    """Optimizer settings, update order and batch sampling.

    Defaults are those of DARTS and SmoothDARTS: SGD with momentum 0.9, learning rate 0.025 to 0.001 by a cosine over
    the epochs, weight decay 3e-4, gradient norm clipped at 5; Adam for alpha with rate 3e-4, betas (0.5, 0.999),
    weight decay 1e-3; initial logits 1e-3 N(0, 1).
    """

    batch_size: int = Field(64, ge=2)
    """Of the minibatches of both halves."""
    steps_per_epoch: int | None = Field(None, ge=1)
    """Weight steps an epoch; None is one pass over the training half."""
    order: Literal["alpha-first", "weights-first"] = "alpha-first"
    """The architecture step before the weight step on each minibatch (DARTS, SmoothDARTS), or after it
    (AutoDL-Projects, Lambda-DARTS)."""
    sampling: Literal["pass", "replacement"] = "pass"
    """Validation batches from one shuffled pass after another ("pass"), or each from a fresh shuffle ("replacement",
    what `next(iter(loader))` in published code does)."""
    learning_rate: float = Field(0.025, gt=0)
    """Of SGD in the first epoch."""
    learning_rate_min: float = Field(0.001, ge=0)
    """Where its cosine ends."""
    momentum: float = Field(0.9, ge=0, lt=1)
    """Of SGD."""
    nesterov: bool = False
    """SGD with Nesterov's momentum (AutoDL-Projects)."""
    weight_decay: float = Field(3e-4, ge=0)
    """L2 factor of the weights."""
    gradient_clip: float = Field(5.0, gt=0)
    """Largest norm of a weight step's gradient."""
    alpha_learning_rate: float = Field(3e-4, gt=0)
    """Of Adam."""
    alpha_betas: tuple[Share, Share] = (0.5, 0.999)
    """Of Adam."""
    alpha_weight_decay: float = Field(1e-3, ge=0)
    """L2 factor of alpha."""
    precision: Precision = "fp32"
    """The numbers that steps are computed in (see `core.arithmetic`); evaluation and probes are in float32."""
    initial_alpha: float = Field(1e-3, ge=0)
    """Standard deviation of the initial logits, which are normal."""
    weight_steps: int = Field(1, ge=1)
    """Weight steps between two architecture steps (iDARTS: 4 on NAS-Bench-201, 5 elsewhere)."""

    def rate(self, epoch: int, epochs: int) -> float:
        """Cosine from `learning_rate` at epoch 0, written out, so that no scheduler version shifts it by one."""
        span = self.learning_rate - self.learning_rate_min
        return self.learning_rate_min + span * (1 + math.cos(math.pi * epoch / epochs)) / 2

    def alpha_moves_at(self, minibatch: int) -> bool:
        """Whether there is an architecture step on this minibatch, counted from 1: the first of `weight_steps`, or the
        last of them where the weights go first."""
        return minibatch % self.weight_steps == (0 if self.order == "weights-first" else 1)
