"""The regularization of language models: locked dropout and activation regularization."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from harness.search.naming import NamedUse
from harness.search.regularizers.base import Regularizer
from harness.spaces.base import WORDS


class AWD(Regularizer):
    """Drop the same entries at every step of a sequence, and keep the outputs small and slow.

    Merity, Keskar & Socher, ICLR 2018 (arXiv 1708.02182), sections 4.1 to 4.5. Probabilities: output, of the outputs;
    hidden and inside, of the states and of the input in the cell; embedded, of the embedded words; words, of rows of
    the embedding.
    """

    name = "awd"
    paper = "Merity et al., ICLR 2018 (1708.02182)"
    methods: ClassVar = {"awd": NamedUse(alias=True)}  # no method of its own: a part of how language models are trained
    lacks = "replayed with the searches for recurrent cells"
    asks = (WORDS,)
    neutral: ClassVar[dict[str, Any]] = dict.fromkeys(
        ("output", "hidden", "inside", "embedded", "words", "activation", "change"), 0
    )
    output: float = Field(0.75, ge=0, lt=1)
    """Dropout probability of the outputs."""
    hidden: float = Field(0.25, ge=0, lt=1)
    """Dropout probability of the states in the cell."""
    inside: float = Field(0.75, ge=0, lt=1)
    """Dropout probability of the input in the cell."""
    embedded: float = Field(0.2, ge=0, lt=1)
    """Dropout probability of the embedded words."""
    words: float = Field(0.0, ge=0, lt=1)
    """Dropout probability of rows of the embedding."""
    activation: float = Field(0.0, ge=0)
    """Factor of the mean squared output; change: of the mean squared difference of outputs that follow each other; both
    are added to the loss of weight steps alone. Architecture steps have the dropout too. The defaults are those of the
    searches of DARTS and SmoothDARTS."""
    change: float = Field(1e-3, ge=0)
    """Factor of the mean squared difference of outputs that follow each other."""

    def supernet_options(self) -> dict[str, Any]:
        return {"regularization": self.model_dump()}
