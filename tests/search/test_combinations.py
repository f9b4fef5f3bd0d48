"""Every searcher with every regularizer, and every pair of regularizers: a step is taken, or a reason is given."""

import functools
import re
from typing import Any

import pytest
import torch

from harness.core.errors import HarnessError
from harness.core.streams import Streams
from harness.datasets.base import Images
from harness.datasets.digits import DigitPairs
from harness.search.loop import SupernetSearch
from harness.search.methods import Method, build_method, list_methods
from harness.search.regularizers.base import REGULARIZERS, Regularizer
from harness.search.searchers.base import SupernetSearcher
from harness.search.training import Training
from harness.spaces.base import WORDS
from harness.spaces.blocks.build import build_supernet
from harness.spaces.blocks.supernet import Supernet
from harness.spaces.nasbench201.space import NASBench201
from tests.conftest import often

SPACE = NASBench201()
SEARCHING = {n: e.searcher for n, e in list_methods().items() if not (e.regularizers or e.alias)}
OF_SEARCHERS = [
    name
    for name, searcher in SEARCHING.items()
    if isinstance(searcher, SupernetSearcher) and (type(searcher).name in name or searcher.omits)
]
"""A method of each searcher, and those that leave operations out."""
OF_REGULARIZERS = [name for name, kind in REGULARIZERS.classes.items() if WORDS not in kind.asks]
REASONS = (
    r"needs [a-z ]+, which the searcher '[\w-]+' does not have|leaves operations out of a step|"
    r"selects its architecture twice, by|two go together|is about alpha, and '[\w-]+' searches without it"
)


@functools.cache
def images() -> Images:
    return DigitPairs(evaluation_pairs=16).load(torch.device("cpu"))


@functools.cache
def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    drawn = [images().batch("train", torch.arange(2) + 2 * i, Streams(0)["x"]) for i in range(2)]
    return [(x[..., ::2, ::2], y) for x, y in drawn]


@functools.cache
def network(options: tuple[tuple[str, object], ...]) -> Supernet:
    """Of four channels and one cell a stage; it is used again, whatever its weights have become."""
    generator = torch.Generator().manual_seed(0)
    return build_supernet(
        SPACE, channels=4, cells=1, classes=100, image_channels=1, generator=generator, **dict(options)
    )


def step(chosen: Method) -> torch.Tensor:
    """The training loss of one step, past every warm-up."""
    net = network(tuple(sorted(chosen.supernet_options().items())))
    net.auxiliary_skip = net.path_dropout = 0.0
    search = SupernetSearch(
        space=SPACE,
        net=net,
        alphas=chosen.searcher.initial([torch.zeros(shape) for shape in SPACE.alpha_shapes], SPACE),
        searcher=chosen.searcher,
        regularizers=chosen.regularizers,
        training=Training(batch_size=2),
        preset=SPACE.presets["fixed"],
        streams=Streams(0),
        epochs=60,
    )
    search.bind(images())
    net.train()
    moment = search.moment(50)
    for regularizer in search.regularizers:
        regularizer.begin_epoch(net, moment)
    train, valid = batches()
    for part in search.regularizers:
        train = part.augment(train[0], search.streams[part.name], moment), train[1]
    loss = search.step(train, valid, 50, 0.01)
    assert all(torch.isfinite(alpha).all() for alpha in search.alphas)
    return loss


def taken(expression: str) -> bool:
    """Whether a combination takes a step; where it does not, a reason is given."""
    try:
        chosen = build_method(expression)
    except HarnessError as error:
        assert re.search(REASONS, str(error)), f"{expression}: {error}"
        return False
    assert torch.isfinite(step(chosen)), expression
    return True


@pytest.mark.parametrize("regularizer", often(OF_REGULARIZERS, OF_REGULARIZERS[::3].__contains__))
def test_every_searcher_goes_with_a_regularizer_or_is_refused(regularizer: str) -> None:
    goes = [taken(f"{searcher} + {regularizer}") for searcher in OF_SEARCHERS]
    assert any(goes)


@pytest.mark.parametrize("regularizer", often(OF_REGULARIZERS, OF_REGULARIZERS[:4].__contains__))
def test_every_later_regularizer_goes_with_it_or_is_refused(regularizer: str) -> None:
    others = OF_REGULARIZERS[OF_REGULARIZERS.index(regularizer) + 1 :]
    refused = [other for other in others if not taken(f"{regularizer} + {other}")]
    selecting = [name for name in OF_REGULARIZERS if REGULARIZERS.find(name).select is not Regularizer.select]
    whole, omits = ([n for n, c in REGULARIZERS.classes.items() if getattr(c, w)] for w in ("whole", "omits"))
    clashes = [(a, b) for a in selecting for b in selecting] + [(a, b) for a in whole for b in omits]
    kinds = {name: REGULARIZERS.find(name)() for name in OF_REGULARIZERS}
    clashes += [(a, b) for a in kinds for b in kinds if kinds[a].without_alpha and kinds[b].of_alpha]
    assert all((regularizer, other) in clashes or (other, regularizer) in clashes for other in refused)


@pytest.mark.parametrize(
    "other", ["zarts", "darts-2nd", "gdas", "beta-darts", "darts-es", "oles", "alpha-warmup", "darts-pt", "shapley"]
)
def test_nothing_of_alpha_goes_with_a_search_without_it(other: str) -> None:
    with pytest.raises(HarnessError, match=r"is about alpha, and 'information-pruning' searches without it"):
        build_method(f"{other} + is-darts")


@pytest.mark.parametrize("other", ["darts-es", "sgas", "gdas", "p-darts"])
def test_what_reads_alpha_goes_where_it_moves_without_a_gradient(other: str) -> None:
    build_method(f"{other} + shapley-nas")


@pytest.mark.parametrize("expression", ["sdarts-rs + is-darts", "is-darts + sdarts-rs"])
def test_what_perturbs_the_mixing_weights_does_so_after_they_are_set(
    expression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[torch.Tensor] = []

    def watched(search: SupernetSearch, *given: Any) -> list[torch.Tensor]:
        seen.extend(mix := perturbed_mix(search, *given))
        return mix

    perturbed_mix = SupernetSearch.perturbed_mix
    monkeypatch.setattr(SupernetSearch, "perturbed_mix", watched)
    step(build_method(expression))
    (mix,) = seen
    off = (mix - 1 / mix.shape[1]).abs()
    assert 0 < off.max() < 0.5
