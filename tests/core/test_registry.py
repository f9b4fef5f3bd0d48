import subprocess
import sys
from pathlib import Path

import pytest

from harness.core.errors import HarnessError, suggest_names
from harness.core.registry import Registry
from harness.datasets.base import DATASETS
from harness.search.regularizers.base import REGULARIZERS
from harness.search.searchers.base import SEARCHERS
from harness.spaces.base import SPACES, Space

PLUGIN = '''
from pydantic import Field
from harness.search.regularizers.base import Regularizer

class Pull(Regularizer):
    """Pull logits together."""
    name = "pull"
    strength: float = Field(0.01, ge=0)

    def alpha_loss(self, alphas, moment):
        return self.strength * sum(a.square().sum() for a in alphas)
'''


def test_every_plugin_is_found_by_its_name() -> None:
    assert {"darts.full", "darts.s1", "nasbench1shot1.s1", "nasbench201"} <= SPACES.classes.keys()
    assert {"darts", "drnas", "gumbel", "random-search", "local-search"} <= SEARCHERS.classes.keys()
    assert {"adversarial", "beta-decay", "mean-shift", "random-smoothing"} <= REGULARIZERS.classes.keys()
    for kind in (SEARCHERS, REGULARIZERS):
        assert list(kind.classes) == sorted(kind.classes)
        assert all(cls.name == name for name, cls in kind.classes.items())
    images = ["cifar10", "cifar100", "digits", "digits100", "imagenet16-120", "npz", "svhn"]
    assert sorted(DATASETS.classes) == sorted([*images, "ptb", "text", "text-small", "wikitext-2"])


def test_an_installed_package_adds_a_regularizer(tmp_path: Path) -> None:
    """A real distribution with the entry-point group, seen by a fresh interpreter."""
    (tmp_path / "pull_plugin.py").write_text(PLUGIN)
    info = tmp_path / "pull_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pull-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[nasbench_harness.regularizers]\npull = pull_plugin:Pull\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from harness.search.methods import build_method\n"
        "chosen = build_method('sdarts-rs + pull').override({'pull': {'strength': 0.5}})\n"
        "print([p.name for p in chosen.regularizers], chosen.regularizers[1].strength)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "['random-smoothing', 'pull'] 0.5", done.stderr


def test_unknown_names_and_fields() -> None:
    with pytest.raises(HarnessError, match="unknown regularizer 'adversarail': did you mean 'adversarial'"):
        REGULARIZERS.find("adversarail")
    with pytest.raises(HarnessError, match="regularizer 'adversarial' has no key 'step': did you mean 'steps'"):
        REGULARIZERS.build("adversarial", {"step": 3})
    with pytest.raises(HarnessError, match="steps = 0 is not usable: Input should be greater than or equal to 1"):
        REGULARIZERS.build("adversarial", {"steps": 0})
    with pytest.raises(HarnessError, match="dataset 'npz' needs the key 'path': add it"):
        DATASETS.build("npz", {})


def test_suggestions() -> None:
    assert suggest_names("sdart-rs", ["sdarts-rs", "zzz"]) == "did you mean 'sdarts-rs'?"
    assert suggest_names("q", ["b", "a"]) == "choose from: a, b"


def test_a_class_that_lacks_a_method_is_refused_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = type("Own", (Space,), {"name": "own", "mix": None, "networks": None})

    class Point:
        value = "own.space:Own"

        def load(self) -> type:
            return lacking

    monkeypatch.setattr("harness.core.registry.entry_points", lambda group: [Point()])
    wanted = (
        r"'own\.space:Own' of nasbench_harness\.spaces lacks canonical_key, derive, graph, neighbors, parse, random: "
    )
    with pytest.raises(HarnessError, match=wanted + "write them"):
        Registry("spaces", "harness.spaces").find("own")
