"""Language models of derived cells are trained: as PyTorch's optimizers do, resumably, and tested once."""

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.core.errors import HarnessError
from harness.datasets.base import DATASETS, Dataset
from harness.datasets.digits import Digits
from harness.runs.retraining.fit import fit_of, measure_costs, train
from harness.runs.retraining.job import Retraining
from harness.runs.retraining.language import LanguageRecipe
from harness.runs.retraining.language_fit import LanguageFit
from harness.runs.retraining.recipe import build_recipe, list_recipes
from harness.runs.retraining.table import RetrainedTable
from harness.runs.rows import lookup_records
from harness.spaces.blocks.sequences import Stretch
from harness.spaces.darts.space import S4
from harness.spaces.recurrent.space import PennTreebank
from harness.tables.measure import ACCURACY, PERPLEXITY
from harness.tables.training.on_demand import TrainedTable

CPU = torch.device("cpu")
SPACE = PennTreebank()
CELL = SPACE.random(np.random.default_rng(0))
TINY: dict[str, Any] = {"channels": 4, "batch_size": 8, "epochs": 3, "steps_per_epoch": 3, "patience": 0}


def data() -> Dataset:
    found: Dataset = DATASETS.build("text-small", {"rows": 8})
    return found


def job(seed: int = 0, **changes: Any) -> Retraining:
    return Retraining(SPACE, CELL, data(), LanguageRecipe(**(TINY | changes)), seed)


def fit(**changes: Any) -> LanguageFit:
    found = fit_of(job(**changes), CPU)
    assert isinstance(found, LanguageFit)
    return found


@pytest.mark.parametrize("averaging", [False, True])
def test_steps_are_those_of_pytorch(averaging: bool) -> None:
    """SGD, and ASGD with its lag by a step, on the same stretches with the same dropout."""
    ours = fit(words=0.2)
    net = copy.deepcopy(ours.net)
    draws = torch.Generator().manual_seed(0)
    own = torch.Generator().manual_seed(0)
    ours.net.draw = lambda _, make: make(own)
    net.draw = lambda _, make: make(draws)
    settings: dict[str, Any] = {"lr": 20.0, "weight_decay": ours.recipe.weight_decay}
    optimizer: Any = torch.optim.SGD(net.parameters(), **settings)
    if averaging:
        optimizer = torch.optim.ASGD(net.parameters(), t0=0, lambd=0.0, **settings)
        ours.averages = [weight.detach().clone() for weight in ours.weights]
    for number in range(4):
        length = 5 + number
        tokens = torch.randint(816, (length + 1, 8), generator=torch.Generator().manual_seed(number))
        for model in (ours, None):
            batch = Stretch(tokens[:-1]), tokens[1:].flatten()
            if model is not None:
                model.net.train()
                model.step(batch, length)
                continue
            optimizer.zero_grad()
            net.train().training_loss(batch)[1].backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 0.25)
            optimizer.param_groups[0]["lr"] = 20.0 * length / 8
            optimizer.step()
        for mine, theirs in zip(ours.weights, net.parameters(), strict=True):
            torch.testing.assert_close(mine, theirs)
    if averaging:
        assert ours.averages is not None
        for mean, weight in zip(ours.averages, net.parameters(), strict=True):
            torch.testing.assert_close(mean, optimizer.state[weight]["ax"])


def test_a_fixed_average_steps_with_its_own_rate() -> None:
    found = {}
    for lags in (True, False):
        one = fit(average_lags=lags)
        one.averages = [weight.detach().clone() for weight in one.weights]
        for _ in one.steps():
            pass
        found[lags] = one.weights[0].detach().clone()
    assert not torch.equal(found[True], found[False])


def test_averages_begin_where_the_loss_no_longer_falls(monkeypatch: pytest.MonkeyPatch) -> None:
    one, losses = fit(patience=1), iter([3.0, 2.0, 2.5, 2.6])
    monkeypatch.setattr(one, "evaluate", lambda part: next(losses))
    states = []
    for epoch in range(2):
        one.judged(epoch)
        states.append(one.averages is not None)
    one.judged(0)  # 2.5 is below the lowest of all but the last one, 3
    states.append(one.averages is not None)
    one.judged(0)  # 2.6 is above 2
    states.append(one.averages is not None)
    assert states == [False, False, False, True]


def test_resumed_to_the_byte_and_tested_after_the_last_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = job().folder(tmp_path / "whole")
    train(job(), whole, CPU)
    rows = whole.tables()["epochs"]
    assert rows["test_perplexity"].isna().tolist() == [True, True, False]
    assert (rows["valid_perplexity"].diff().dropna() <= 0).all()

    class Killed(BaseException):
        pass

    folder = job().folder(tmp_path / "killed")
    save, seen = type(folder).save_checkpoint, []

    def save_and_die(self: Any, *given: Any) -> None:
        save(self, *given)
        seen.append(given)
        if len(seen) == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(type(folder), "save_checkpoint", save_and_die)
        with pytest.raises(Killed):
            train(job(), folder, CPU)
    train(job(), folder, CPU)
    assert (folder.final / "epochs.parquet").read_bytes() == (whole.final / "epochs.parquet").read_bytes()


def test_what_is_no_number_goes_back_to_what_is_kept() -> None:
    one = fit()
    with pytest.raises(HarnessError, match=r"diverged in epoch 1: lower recipe\.learning_rate"), torch.no_grad():
        one.weights[0].fill_(math.nan)
        with torch.enable_grad():
            one.train_epoch(0)
    one = fit()
    one.train_epoch(0)
    one.judged(0)
    assert one.kept is not None
    with torch.no_grad():
        one.weights[0].fill_(math.nan)
    one.train_epoch(1)
    assert all(torch.equal(one.net.state_dict()[name], value) for name, value in one.kept.items())


def test_a_table_of_perplexities(tmp_path: Path) -> None:
    table = RetrainedTable(SPACE, data(), LanguageRecipe(**TINY), (0, 1), tmp_path)
    assert table.scale == PERPLEXITY
    assert str(table.validation) == "text-small/valid@3"
    rows = lookup_records(2, CELL, table)
    assert {tuple(row)[-1] for row in rows} == {"perplexity"}
    assert len(rows) == 4
    assert all(1 < row["perplexity"] < 2000 for row in rows)
    other = SPACE.random(np.random.default_rng(1))
    values = [table.lookup(cell, table.test) for cell in (CELL, other)]
    assert table.optimum(table.test).accuracy_pct == pytest.approx(min(values))
    known = TrainedTable.of_manifest(table.describe())
    assert known.scale == PERPLEXITY
    assert known.fingerprint == table.fingerprint
    assert TrainedTable(S4(), "digits", (0,), (None, "test"), {"epochs": 1}).scale == ACCURACY


def test_recipes_of_the_papers() -> None:
    assert set(list_recipes(SPACE)) == {"published", "small", "ptb", "wikitext-2"}
    assert build_recipe("ptb", {}, SPACE) == LanguageRecipe()
    assert build_recipe("wikitext-2", {}, SPACE).channels == 700
    assert build_recipe("ptb", {}, SPACE).average_lags
    assert not build_recipe("small", {}, SPACE).average_lags
    with pytest.raises(HarnessError, match="unknown recipe 'ptb'"):
        build_recipe("ptb", {}, S4())
    told = measure_costs(Retraining(SPACE, CELL, data(), LanguageRecipe(), 0), fit().images)
    assert told["parameters_M"] == pytest.approx((816 * 850 + 4 * 850**2 + 16 * 850**2 + 816) / 1e6)


def test_images_are_no_text() -> None:
    with pytest.raises(HarnessError, match=r"recurrent\.ptb is not trained on images, which digits has"):
        fit_of(Retraining(SPACE, CELL, Digits(), LanguageRecipe(), 0), CPU)
