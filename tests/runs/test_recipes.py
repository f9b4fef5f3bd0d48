"""Published recipes, a method's own settings, and what is said of methods that were trained differently."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.results.load import load_folder
from harness.runs.apart import describe_alike, group_by_method
from harness.runs.preregistration import Declared
from harness.runs.study import Run, load_study
from harness.search.methods import list_methods
from harness.search.training import Training
from harness.spaces.base import SPACES
from harness.verdicts.compare import compare
from tests.conftest import ROOT
from tests.support.results import end

BASE: dict[str, Any] = {"name": "x", "space": "nasbench201", "dataset": "digits100", "seeds": [0], "epochs": 20}


def runs(methods: Any, **changes: Any) -> dict[str, Run]:
    study = load_study(BASE | {"methods": methods} | changes)
    return {run.method_name: run for run in study.runs}


def test_every_recipe_can_be_trained_by() -> None:
    """Its keys are those of a study, of the right types, and its space is one."""
    declared = [(n, key, r) for n, entry in list_methods().items() for key, r in entry.recipes.items()]
    assert len(declared) > 20
    for name, key, recipe in declared:
        assert recipe.source, name
        assert any(space.startswith(key) for space in SPACES.classes), (name, key)
        Training.model_validate(dict(recipe.training))
        assert recipe.channels is None or recipe.channels >= 1


def test_shared_is_what_a_study_without_a_recipe_is() -> None:
    plain, shared = runs(["darts", "pc-darts"]), runs(["darts", "pc-darts"], recipe="shared")
    assert {m: r.id for m, r in plain.items()} == {m: r.id for m, r in shared.items()}
    assert plain["darts"].id == "c3974a716859"
    assert "recipe" not in plain["darts"].describe()


def test_published_trains_each_as_its_code_does() -> None:
    named = ["darts", "sdarts-rs", "pc-darts", "p-darts", "lambda-darts", "fairdarts", "gaea", "gdas", "random-nas"]
    found = runs(named, recipe="published", epochs=None)
    epochs = {name: run.epochs for name, run in found.items()}
    assert epochs == dict(zip(named, (50, 100, 50, 75, 100, 50, 25, 240, 250), strict=True))
    rates = [found[n].training.alpha_learning_rate for n in ("darts", "pc-darts", "p-darts", "lambda-darts")]
    assert rates == [3e-4, 6e-4, 6e-4, 1e-4]
    fair = found["fairdarts"].training
    assert (fair.batch_size, fair.learning_rate, fair.alpha_learning_rate, fair.alpha_betas) == (
        128,
        0.005,
        3e-3,
        (0.9, 0.999),
    )
    for name in ("darts", "gdas", "random-nas"):
        training = found[name].training
        assert (training.nesterov, training.weight_decay, training.order) == (True, 5e-4, "weights-first")
    assert (found["sdarts-rs"].training.nesterov, found["sdarts-rs"].training.weight_decay) == (False, 3e-4)
    assert found["gaea"].supernet.channels == 24
    assert found["pc-darts"].method.parts()["alpha-warmup"].length == 15  # type: ignore[attr-defined]


def test_a_recipe_is_of_its_space() -> None:
    found = runs(["pc-darts", "darts"], recipe="published", space="nasbench1shot1.s1")
    assert {(r.training.batch_size, r.training.alpha_learning_rate) for r in found.values()} == {(96, 3e-4)}
    assert "alpha-warmup" not in found["pc-darts"].method.parts()


def test_a_recipe_may_say_fields_of_the_methods_parts() -> None:
    """IS-DARTS shrinks seven times, three epochs apart, on DARTS' cells, and four, two apart, on NAS-Bench-201."""
    own = {"is-darts": {}, "five": {"method": "is-darts", "information-pruning": {"shrinks": 5}}}
    where = {"space": "darts.s3", "recipe": "published", "epochs": None}
    found = {name: run.method.parts()["information-pruning"].model_dump() for name, run in runs(own, **where).items()}
    assert {name: (f["shrinks"], f["interval"]) for name, f in found.items()} == {"is-darts": (7, 3), "five": (5, 3)}
    told = runs(own, **where)["five"].recipe
    assert told.endswith(", with information-pruning {'shrinks': 5, 'interval': 3}")  # what it has in the end
    here = runs(["is-darts"], recipe="published")["is-darts"]
    assert here.method.parts()["information-pruning"].model_dump()["shrinks"] == 4


def test_what_is_senseless_with_its_own_fields_or_its_recipe_is_refused() -> None:
    with pytest.raises(HarnessError, match="'darts' is about alpha, and 'information-pruning' searches without it"):
        runs({"x": {"method": "is-darts", "darts": {"order": 2}}})
    decided = {"training": {"batch_size": 64, "learning_rate": 0.1, "learning_rate_min": 0.0, "order": "alpha-first"}}
    decided["training"] |= {"nesterov": False, "weight_decay": 3e-4, "alpha_learning_rate": 6e-4, "sampling": "pass"}
    with pytest.raises(HarnessError, match="'alpha-warmup' is about alpha, and 'information-pruning' searches without"):
        runs({"pc-darts + is-darts": decided}, recipe="published")


def test_a_method_wins_over_its_recipe_which_wins_over_the_study() -> None:
    own = {"training": {"batch_size": 32}, "supernet": {"channels": 4}, "alpha-warmup": {"length": 2}}
    study: dict[str, Any] = {"training": {"batch_size": 8, "alpha_learning_rate": 1e-2, "steps_per_epoch": 3}}
    (run,) = runs({"pc-darts": own}, recipe="published", **study).values()
    assert (run.training.batch_size, run.training.alpha_learning_rate, run.training.steps_per_epoch) == (32, 6e-4, 3)
    assert (run.supernet.channels, run.epochs) == (4, 20)  # epochs that a study says hold for all
    (shared,) = runs({"gentle": {"method": "darts", "training": {"nesterov": True}}}, **study).values()
    assert (shared.training.nesterov, shared.training.batch_size) == (True, 8)


def test_a_method_without_a_recipe_is_trained_as_darts_and_says_so() -> None:
    (run,) = runs(["amended-darts"], recipe="published").values()
    assert run.recipe.startswith("none is declared; as DARTS: AutoDL-Projects")
    assert run.training.nesterov


@pytest.mark.parametrize(
    ("methods", "changes", "message"),
    [
        (["darts"], {"recipe": "paper"}, "recipe = 'paper' is not usable"),
        (["darts"], {"epochs": None}, r"study x\.toml needs the key 'epochs': add it$"),
        (["darts-minus", "cutout"], {"epochs": None, "recipe": "published", "space": "darts.s2"}, None),
        (["lambda-darts"], {"epochs": None, "recipe": "published", "space": "darts.s2"}, "has no published number of"),
        (
            {"a": {"method": "darts", "training": {"alpha_rate": 1}}},
            {},
            r"methods\.a\.training has no key 'alpha_rate'",
        ),
        (
            {"a": {"method": "darts", "training": {"batch_size": "x"}}},
            {},
            r"methods\.a\.training: batch_size = 'x' is n",
        ),
        ({"a": {"method": "darts", "supernet": {"width": 3}}}, {}, r"methods\.a\.supernet has no key 'width'"),
        ({"darts": {"training": 3}}, {}, r"methods\.darts\.training = 3 is not usable: write a section with keys of"),
        (
            {"random-search": {"training": {"batch_size": 3}}},
            {"table": "nasbench201.digits"},
            "says how a network is trained, and 'random-search' trains none: leave it out",
        ),
        (["pc-darts"], {"recipe": "published", "epochs": 15}, "in its 15 epochs 'pc-darts' would take no architecture"),
        (
            ["pc-darts + sdarts-rs"],
            {"recipe": "published"},
            r"no published recipe of 'pc-darts \+ sdarts-rs'.*training\.batch_size: 256 and 64.*decide these keys",
        ),
        (["random-nas + pc-darts"], {"recipe": "published"}, "no published recipe of"),
    ],
)
def test_impossible_settings_are_explained(methods: Any, changes: dict[str, Any], message: str | None) -> None:
    if message is None:
        assert {r.epochs for r in runs(methods, **changes).values()} == {50}
        return
    with pytest.raises(HarnessError, match=message):
        runs(methods, **changes)


def test_a_combination_that_its_section_decides_is_trained() -> None:
    training = {k: getattr(Training(), k) for k in ("batch_size", "learning_rate", "learning_rate_min")}
    own = {"training": training | {"alpha_learning_rate": 6e-4, "sampling": "pass"}}
    (run,) = runs({"pc-darts + sdarts-rs": own}, recipe="published").values()
    assert (run.training.alpha_learning_rate, run.training.batch_size) == (6e-4, 64)
    assert list(run.method.parts()) == ["darts", "partial-channels", "random-smoothing", "alpha-warmup"]


def test_plan_shows_what_differs(small_study: Path, tmp_path: Path) -> None:
    arguments = ["plan", str(small_study), "--seeds", "0", "--out", str(tmp_path)]
    wide = {"COLUMNS": "200"}
    enough = ["plan", str(small_study), "--seeds", "0..6", "--out", str(tmp_path)]  # of fewer it says that they are
    alone = CliRunner().invoke(main, enough, env=wide)
    assert alone.exit_code == 0 and "differ" not in alone.output
    apart = [*arguments, "--set", "methods.sdarts-rs.training.alpha_learning_rate=6e-4"]
    told = CliRunner().invoke(main, apart, env=wide)
    assert "settings in which the methods differ" in told.output and "0.0006" in told.output
    header, *lines = CliRunner().invoke(main, [*apart, "--format", "csv"]).stdout.splitlines()
    assert header.endswith(",training.alpha_learning_rate")
    assert [line.rsplit(",", 1)[1] for line in lines] == ["0.0003", "0.0006", "0.0003", ""]
    wrong = CliRunner().invoke(main, [*arguments, "--set", "methods.darts.training.alfa=1"])
    assert (wrong.exit_code, wrong.output.count("\n")) == (2, 1)


def test_verdicts_of_methods_under_different_recipes_say_so() -> None:
    found = load_folder(ROOT / "results/published/digits")
    assert describe_alike(found.settings) == "the same training settings for all methods that train"
    declared = Declared(pairs=(("sdarts-rs", "darts"), ("random-search", "darts")))
    configurations = [(m["method_name"], m["configuration"]) for m in found.manifests]
    settings = dict(group_by_method(configurations))
    settings["sdarts-rs"] = {**settings["sdarts-rs"], "training.alpha_learning_rate": 6e-4}
    changed = replace(found, settings=settings)
    verdicts = {p.new: p.verdict for p in compare(end(changed, declared), declared)}
    ending = "; trained differently: training.alpha_learning_rate 0.0006 against 0.0003"
    assert {name for name, verdict in verdicts.items() if verdict.endswith(ending)} == {"sdarts-rs"}
    assert describe_alike(settings).startswith(
        "methods trained differently: darts training.alpha_learning_rate 0.0003; sdarts-rs"
    )


def test_final_results_of_methods_with_different_epochs() -> None:
    results = load_folder(ROOT / "results/published/digits")
    first = results.epochs["method"].iloc[0]
    kept = {n: f[(f["method"] != first) | (f["epoch"] <= 2)] for n, f in vars(results).items() if hasattr(f, "merge")}
    short, whole = (r.final().set_index("method") for r in (replace(results, **kept), results))
    assert short.loc[first, "n"] == whole.loc[first, "n"] and short.loc[first, "distinct"] >= 1
    assert short.drop(first).equals(whole.drop(first))
