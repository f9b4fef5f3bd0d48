"""What several tests ask of methods."""

from harness.core.errors import HarnessError
from harness.search.methods import Method, refuse_unfit
from harness.spaces.base import Space


def fits_space(chosen: Method, space: Space) -> bool:
    """Whether the networks of a space have all that a method asks for."""
    try:
        refuse_unfit("", chosen, space)
    except HarnessError:
        return False
    return True
