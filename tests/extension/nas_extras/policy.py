"""A policy of this package's own."""

from harness.results.policies.base import Policy


class Smallest(Policy):
    """The smallest logits."""

    name = "smallest"
    paper = "ours"

    def derive(self, space, logits):
        return space.derive([-tensor for tensor in logits])
