"""Searches on texts: what a run writes, what is carried, what is refused, and resuming to the byte."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.core.streams import Streams
from harness.datasets.base import DATASETS
from harness.datasets.texts import Text, draw_text
from harness.results.load import load_study_runs
from harness.runs.check import check_study
from harness.runs.execute import plan, run_all
from harness.runs.run import execute
from harness.runs.store import RunFolder
from harness.runs.study import load_study
from harness.search.build import build_search
from harness.search.methods import build_method, list_methods
from harness.search.searchers.base import SupernetSearcher
from harness.search.training import Training
from harness.spaces.base import Preset
from harness.spaces.recurrent.space import PennTreebank, make_space_of_nodes
from harness.testing.contracts import fits_space, pass_through_file, state_of

CPU = torch.device("cpu")
SPACE = PennTreebank()
FITTING = [
    name
    for name, entry in list_methods().items()
    if name != "awd"
    and not entry.alias
    and isinstance(build_method(name).searcher, SupernetSearcher)
    and fits_space(build_method(name), SPACE)
]
REFUSED = {
    "pc-darts": "'partial-channels' needs images",
    "darts-minus": "'auxiliary-skip' needs operations without a way around them of their own",
    "gdas": "'gumbel' needs operations that are computed one by one",
    "darts-pt": "'perturbation-selection' needs images",
    "lambda-darts": "'layer-alignment' needs several cells",
    "darts + cutout": "'cutout' needs images",
}
TRAINING = {
    "batch_size": 6,
    "learning_rate": 5.0,
    "learning_rate_min": 5.0,
    "momentum": 0.0,
    "gradient_clip": 0.25,
    "steps_per_epoch": 2,
}


def text(rows: int = 5) -> Text:
    return draw_text({"train": 300, "valid": 200, "test": 90}, 9, rows, CPU)


def small_search(expression: str, preset: str = "official", **training: Any) -> Any:
    space = make_space_of_nodes(3)()
    search = build_search(
        space,
        build_method(expression),
        channels=4,
        cells=1,
        classes=9,
        image_channels=0,
        epochs=3,
        streams=Streams(0),
        training=Training(**(TRAINING | training)),
        preset=space.presets[preset],  # type: ignore[index]
    )
    search.bind(text())
    return search


def train(search: Any, first: int, last: int) -> Any:
    for epoch in range(first, last):
        search.train_epoch(epoch, lambda: None)
    return search


@pytest.mark.parametrize("name", FITTING)
@pytest.mark.parametrize("steps", [2, None])
def test_searches_resumably(name: str, steps: int | None) -> None:
    """Also where an epoch ends in the middle of the text, and the next one reads on with the state that it left."""
    settings = {"steps_per_epoch": steps}
    whole = train(small_search(f"{name} + awd", **settings), 0, 1)
    kept = pass_through_file(whole.state_dict())
    before = [alpha.detach().clone() for alpha in whole.alphas]
    train(whole, 1, 3)
    resumed = small_search(f"{name} + awd", **settings)
    resumed.load_state_dict(kept)
    train(resumed, 1, 3)
    assert all(torch.equal(a, b) for a, b in zip(state_of(whole), state_of(resumed), strict=True))
    assert whole.evaluate() == resumed.evaluate()
    assert set(whole.evaluate()) == {"search_valid_loss", "supernet_perplexity"}
    assert whole.space.parse(whole.select().encoding)
    held = not all(r.alpha_moves(whole.moment(2)) for r in whole.regularizers)
    assert held or whole.stopped or not all(torch.equal(a, b) for a, b in zip(before, whole.alphas, strict=True))


@pytest.mark.parametrize("name", ["darts", "darts-2nd", "sdarts-rs", "sdarts-adv"])
def test_presets_search_otherwise(name: str) -> None:
    official, fixed = (train(small_search(name, preset), 0, 1) for preset in ("official", "fixed"))
    assert not torch.equal(official.alphas[0], fixed.alphas[0])


@pytest.mark.parametrize(("expression", "reason"), REFUSED.items())
def test_what_does_not_fit_is_refused_at_plan_with_its_reason(expression: str, reason: str) -> None:
    study = {
        "name": "x",
        "space": SPACE.name,
        "dataset": "text-small",
        "methods": [expression],
        "seeds": [0],
        "epochs": 1,
    }
    with pytest.raises(HarnessError, match=f"cannot search recurrent.ptb: {reason}, which its networks do not have"):
        load_study(study)


def test_words_and_images_are_not_taken_for_each_other() -> None:
    for space, data, says in (
        (SPACE.name, "digits", "recurrent.ptb reads words, and the data set digits has images"),
        ("nasbench201", "text-small", "nasbench201 reads images, and the data set text-small has words"),
    ):
        told = {"name": "x", "space": space, "dataset": data, "methods": ["darts"], "seeds": [0], "epochs": 1}
        study = load_study(told)
        with pytest.raises(HarnessError, match=says):
            check_study(study, study.runs)
    with pytest.raises(HarnessError, match="cannot search nasbench201: 'awd' needs words"):
        load_study({**told, "methods": ["darts + awd"]})


def test_the_published_recipe_is_that_of_the_recurrent_code() -> None:
    told = {"name": "x", "space": SPACE.name, "dataset": "text-small", "methods": ["sdarts-adv"], "seeds": [0]}
    (run,) = load_study({**told, "recipe": "published"}).runs
    assert (run.epochs, run.supernet.channels, run.training.batch_size) == (50, 300, 256)
    assert (run.training.rate(0, 50), run.training.rate(49, 50)) == (20, 20)
    assert run.training.alpha_betas == (0.9, 0.999)
    assert run.method.parts()["awd"].model_dump()["output"] == 0.75


# -- the text that is read ---------------------------------------------------------------------------------------------


def feed_of(jumps: bool, steps: int | None = None) -> Any:
    preset = Preset(validation_jumps=jumps)
    return text().feed(batch_size=6, sampling="pass", steps_per_epoch=steps, preset=preset, streams=Streams(0))


def test_an_epoch_reads_the_text_once() -> None:
    feed, read = feed_of(jumps=False), []
    feed.begin_epoch()
    while feed.more():
        x, y = feed.next("train")
        assert torch.equal(x.tokens[1:].flatten(), y.view(x.tokens.shape)[:-1].flatten())
        assert feed.rate((x, y)) in (1.0, 2 / 5)
        read.append(x.tokens)
        feed.next("valid")
    whole = torch.cat(read)
    assert torch.equal(whole, feed.texts["train"][: len(whole)])
    assert len(feed.texts["train"]) - len(whole) <= 2


@pytest.mark.parametrize("jumps", [True, False])
def test_validation_text(jumps: bool) -> None:
    """Published: full stretches that overlap where the training stretch was a short one, and go on from any place with
    the state of the one before. Else: the text, read from its beginning to its end, and anew from zeros."""
    feed = feed_of(jumps, steps=40)
    feed.begin_epoch()
    begun = 0
    for _ in range(40):
        feed.next("train")
        position = feed.positions["valid"]
        x, _ = feed.next("valid")
        x.left = torch.ones(6, 4)
        feed.carry("valid", (x, None))
        if jumps:
            assert len(x.tokens) == min(5, len(feed.texts["valid"]) - 1 - position % (len(feed.texts["valid"]) - 1))
        else:
            begun += x.state is None
            assert len(x.tokens) <= feed.length
    assert jumps or begun > 2


# -- runs --------------------------------------------------------------------------------------------------------------


STUDY = """
name = "words"
space = "recurrent.ptb"
dataset = {name = "text", path = "PATH", rows = 6}
table = "trained"
judge = "last"
methods = ["darts + awd", "sdarts-adv", "random-search"]
seeds = [0]
epochs = 2
retraining = {recipe = "small", channels = 4, epochs = 2, batch_size = 4, steps_per_epoch = 4}
[supernet]
channels = 4
[training]
batch_size = 4
learning_rate = 5.0
learning_rate_min = 5.0
momentum = 0.0
gradient_clip = 0.25
steps_per_epoch = 3
[probes.spectrum]
batches = 1
by = "products"  # a matrix of 180 rows would take most of the time
[probes.landscape]
points = 3
[probes.sensitivity]
radii = [0.1]
draws = 2
"""


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study and its runs, computed without a stop; its trainings are in its cache."""
    folder = tmp_path_factory.mktemp("straight")
    rng = np.random.default_rng(0)
    (folder / "data").mkdir()
    for part, lines in (("train", 60), ("valid", 40), ("test", 30)):
        words = [" ".join(rng.choice(list("abcdefg"), 6)) for _ in range(lines)]
        (folder / "data" / f"{part}.txt").write_text("\n".join(words) + "\n")
    path = folder / "words.toml"
    path.write_text(STUDY.replace("PATH", str(folder / "data")))
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NASBENCH_HARNESS_CACHE", str(folder / "cache"))
        assert [o.error for o in run_all(plan(load_study(path), folder / "out"), "cpu", 1)] == [None] * 3
    return folder


def rows_of(out: Path) -> dict[str, str]:
    names = ("epochs.parquet", "lookups.parquet")
    return {str(p.relative_to(out)): hashlib.sha256(p.read_bytes()).hexdigest() for n in names for p in out.rglob(n)}


def test_a_study_of_words_is_judged_by_perplexity(straight: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(straight / "cache"))
    loaded = load_study(straight / "words.toml")
    results = load_study_runs(loaded, straight / "out")
    final = results.final()
    assert list(final.columns[:5]) == ["method", "n", "final_perplexity", "lowest", "highest"]
    assert final["final_perplexity"].between(1, 100).all()
    assert {"perplexity"} <= set(results.lookups) and "accuracy_pct" not in results.lookups
    assert set(results.lookups["split"]) == {"valid", "test"}
    epochs = results.epochs[results.epochs["method"] == "darts + awd"]
    later = epochs[
        epochs["epoch"] > 0
    ]  # an untrained one-shot network, whose batch norm knows no statistics, may overflow
    assert np.isclose(np.exp(later["search_valid_loss"]), later["supernet_perplexity"]).all()
    assert np.isfinite(epochs[["hessian_largest", "sensitivity_attack_0.1"]]).all(axis=None)
    assert all(len(losses) == 9 for losses in epochs["landscape_loss"])


def test_killed_and_resumed_to_the_byte(straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stopped after the first epoch, and gone on with from what is on disk; what is derived is trained anew."""
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path / "cache"))
    loaded = load_study(straight / "words.toml")

    class Killed(BaseException):
        pass

    save, seen = RunFolder.save_checkpoint, []

    def save_and_die(self: RunFolder, *given: Any) -> None:
        save(self, *given)
        seen.append(self.final.name)
        if seen.count(self.final.name) == 2:
            raise Killed

    for planned in plan(loaded, tmp_path / "killed"):
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(RunFolder, "save_checkpoint", save_and_die)
            with pytest.raises(Killed):
                execute(planned.run, planned.folder, CPU)
        assert not planned.folder.finished
    assert [o.error for o in run_all(plan(loaded, tmp_path / "killed"), "cpu", 1)] == [None] * 3
    assert rows_of(tmp_path / "killed") == rows_of(straight / "out")


def test_the_text_in_the_package() -> None:
    data = DATASETS.build("text-small", {}).load(CPU)
    assert (data.classes, [data.size(part) for part in ("train", "valid", "test")]) == (816, [19_625, 4_744, 4_328])
    assert data.words[:3] == ["alice", "was", "beginning"]


def test_errors_of_texts_teach(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match=r"no train\.txt in .*: name a folder of train\.txt, valid\.txt, test\.txt"):
        DATASETS.build("text", {"path": tmp_path}).describe()
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_bytes(b"a \xff\n")
    with pytest.raises(HarnessError, match="cannot be read as UTF-8"):
        DATASETS.build("text", {"path": tmp_path}).load(CPU)
    (problem,) = text().problems("mine", 100)
    assert problem.startswith("the search-validation half of mine has 200 words, fewer than three rows of 100 columns")


def test_published_texts_say_what_they_are_and_where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASBENCH_HARNESS_CACHE", str(tmp_path))
    done = CliRunner().invoke(main, ["datasets", "fetch", "ptb", "--dry-run"])
    assert done.exit_code == 0
    assert "ptb.train.txt" in done.output and "md5:f26c4b92c5fdc7b3f8c7cdcb991d8420" in done.output
    assert "for research alone" in done.output
    noise = DATASETS.build("wikitext-2", {}).noise(CPU)
    assert (noise.classes, noise.size("valid")) == (33_278, 217_646)
