from pathlib import Path

import pytest

from harness.core.errors import HarnessError
from harness.core.seeds import parse_seeds
from harness.runs.changes import apply_settings
from harness.runs.study import load_study
from harness.search.methods import build_method, list_methods
from tests.conftest import SMALL_STUDY, STUDIES


def changed(path: Path, old: str, new: str) -> Path:
    assert old in SMALL_STUDY
    path.write_text(SMALL_STUDY.replace(old, new))
    return path


def test_runs_are_methods_times_seeds(small_study: Path) -> None:
    study = load_study(small_study)
    assert [(r.method_name, r.seed) for r in study.runs] == [
        (m, s) for s in (0, 1) for m in ("darts", "sdarts-rs", "sdarts-adv", "random-search")
    ]
    assert len({r.id for r in study.runs}) == 8


def test_identity_is_of_what_matters(small_study: Path) -> None:
    base = load_study(small_study).runs[0]
    assert load_study(small_study, ["name=other"]).runs[0].id == base.id
    for setting in ("epochs=3", "preset=official", "training.batch_size=9", "supernet.channels=3", "dataset.noise=0.1"):
        assert load_study(small_study, [setting]).runs[0].id != base.id, setting


@pytest.mark.parametrize(
    ("text", "seeds"), [("0..3", [0, 1, 2, 3]), ("7", [7]), ("0,2,5..7", [0, 2, 5, 6, 7]), (" 1 .. 2 ", [1, 2])]
)
def test_seeds(text: str, seeds: list[int]) -> None:
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9..0", r"seeds '9\.\.0' count down and name no seed: write 0\.\.9"),
        ("a", "seeds 'a' cannot be read: write"),
        ("", "cannot be read"),
        ("1,1", "name a seed twice"),
        ("-3..2", "cannot be read"),
    ],
)
def test_impossible_seeds(small_study: Path, text: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        load_study(small_study, seeds=text)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"sdarts-rs"', '"sdarts-sr"', r"unknown method 'sdarts-sr': did you mean 'sdarts-rs'"),
        ("epochs = 2", "epoch = 2", r"has no key 'epoch': did you mean 'epochs'"),
        ("channels = 2", "chanels = 2", r"has no key 'supernet\.chanels': did you mean 'channels'"),
        ("batch_size = 8", "batch_size = 1", r"training\.batch_size = 1 is not usable"),
        ('space = "nasbench201"', 'space = "nasbench202"', "unknown space 'nasbench202': did you mean 'nasbench201'"),
        ('name = "digits100"', 'name = "digits10"', "unknown dataset 'digits10': did you mean 'digits100'"),
        ("evaluation_pairs", "evaluation_pair", r"dataset 'digits100' has no key 'evaluation_pair': did you mean"),
        ("nasbench201.digits", "nasbench201.digit", "unknown table 'nasbench201.digit': did you mean"),
        (
            'space = "nasbench201"',
            'space = "nasbench1shot1.s1"',
            "is of the space 'nasbench201', not 'nasbench1shot1.s1'",
        ),
        ("epochs = 2", "", "needs the key 'epochs': add it"),
        ("epochs = 2", "epochs = ", "is not valid TOML"),
        ('"darts", ', '"darts", "darts", ', "lists a method twice"),
        ('"darts", ', '"darts + darts-2nd + random-search", ', "combines the searchers 'darts' and 'random-search'"),
        ('"darts", ', '"random-search + sdarts-rs", ', "regularizes 'random-search', which trains no supernet"),
        ('"darts", ', '"sdarts-rs + random-smoothing", ', "names the regularizer 'random-smoothing' twice"),
        ('name = "small"', 'name = "a/b"', "name = 'a/b' is not usable"),
        ('table = "nasbench201.digits"', "", "searches the table itself, and study .* names none"),
        ('seeds = "0..1"', "seeds = [0, 0]", "they name a seed twice, 0: leave one out"),
        ('seeds = "0..1"', "seeds = [true, 1]", r"True is no seed: write whole numbers from 0 to 2\^63 - 1"),
        ('seeds = "0..1"', 'seeds = "0..999999999999"', "are too many, or too large: at most 10,000"),
        ("epochs = 2", "epochs = 1" + "0" * 5000, "is not valid TOML: Exceeds the limit"),
        ("epochs = 2", "epochs = 2\nx = " + "[" * 9000, "is not valid TOML: it is nested too deeply"),
        ("epochs = 2", "epochs = 2\n" + "a." * 9000 + "b = 1", "is not valid TOML: a key has more than 100 parts"),
        (
            '{name = "digits100", evaluation_pairs = 64}',
            "{name = 5}",
            "5 cannot name a dataset: write its name in quotes",
        ),
        ("channels = 2", f"channels = {10**23}", "channels = .* is not usable"),
        (
            "batch_size = 8",
            "weight_decay = 1e300",
            r"weight_decay = 1e\+300 is not usable: a number",
        ),
        ("batch_size = 8", "alpha_betas = [2, 3]", r"alpha_betas\.0 = 2 is not usable"),
        ("batch_size = 8", "learning_rate = nan", "learning_rate = nan is not usable"),
        ('"darts", ', f'"{"a" * 300}", ', "a method's name or label is one line of 1 to 120 characters"),
        ('name = "small"', 'name = ".."', r"name = '\.\.' is not usable"),
    ],
)
def test_wrong_studies_are_explained(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        load_study(changed(tmp_path / "s.toml", old, new))


def test_missing_study(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no study file at"):
        load_study(tmp_path / "absent.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(HarnessError, match="cannot be read as a study"):
        load_study(tmp_path / "binary.toml")
    with pytest.raises(HarnessError, match="is a folder, and no study file: name the file"):
        load_study(tmp_path)


def test_overrides_reach_the_parts(tmp_path: Path) -> None:
    methods = """
    [methods.darts]
    [methods.strong]
    method = "darts-2nd + sdarts-adv"
    adversarial = {epsilon = 0.5, steps = 3}
    """
    text = SMALL_STUDY.replace('methods = ["darts", "sdarts-rs", "sdarts-adv", "random-search"]\n', "") + methods
    (tmp_path / "s.toml").write_text(text)
    runs = load_study(tmp_path / "s.toml", ["methods.strong.adversarial.steps=4"]).runs
    parts = runs[1].method.describe()
    assert runs[1].method_name == "strong"
    assert parts["darts"] == {"order": 2}
    assert parts["adversarial"] | {"epsilon": 0.5, "steps": 4} == parts["adversarial"]


def test_set_on_a_list_of_methods(small_study: Path) -> None:
    runs = load_study(small_study, ["methods.sdarts-rs.random-smoothing.epsilon=0.1"]).runs
    assert [r.method.parts().get("random-smoothing") for r in runs][1].epsilon == 0.1  # type: ignore[union-attr]
    assert len(runs) == 8
    with pytest.raises(HarnessError, match="this method has no part 'random-smooth' to set: did you mean"):
        load_study(small_study, ["methods.sdarts-rs.random-smooth.epsilon=0.1"])
    with pytest.raises(HarnessError, match=r"regularizer 'random-smoothing' has no key 'eps': did you mean 'epsilon'"):
        load_study(small_study, ["methods.sdarts-rs.random-smoothing.eps=0.1"])


@pytest.mark.parametrize(
    ("setting", "message"),
    [("epochs", "settings 'epochs' cannot be read"), ("epochs.x=1", "goes below 'epochs', which is a single value")],
)
def test_wrong_settings(setting: str, message: str) -> None:
    with pytest.raises(HarnessError, match=message):
        apply_settings({"epochs": 3}, [setting])


def test_set_below_the_short_form_of_a_dataset() -> None:
    raw: dict[str, object] = {"dataset": "digits100"}
    apply_settings(raw, ["dataset.noise=0.1"])
    assert raw == {"dataset": {"name": "digits100", "noise": 0.1}}


def test_settings_take_toml_or_bare_text() -> None:
    raw: dict[str, object] = {}
    apply_settings(raw, ["a.b=3", "a.c=[1, 2]", "preset=official", "x=true"])
    assert raw == {"a": {"b": 3, "c": [1, 2]}, "preset": "official", "x": True}


def test_every_named_method_can_be_built() -> None:
    for name, entry in list_methods().items():
        assert set(build_method(name).parts()) == {p.name for p in (entry.searcher, *entry.regularizers)}
    combined = build_method("sdarts-adv + beta-decay + darts-2nd")
    assert list(combined.parts()) == ["darts", "adversarial", "beta-decay"]
    assert combined.searcher.order == 2


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_every_study_can_be_read(path: Path) -> None:
    try:
        assert load_study(path).runs
    except HarnessError as error:
        if "is not here yet" not in str(error):
            raise
        pytest.skip(str(error))
