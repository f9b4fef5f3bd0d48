"""Code is part of a run: runs of other code are named, refused by the gate, and computed again when asked."""

import importlib
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.results.provenance import check_code, describe_code
from harness.runs import code
from harness.runs.execute import plan, run_all
from harness.runs.manifest import MANIFEST, seal_manifest
from harness.runs.study import load_study
from harness.search.probes.base import PROBES
from harness.search.regularizers.base import REGULARIZERS
from harness.search.searchers.base import SEARCHERS
from harness.spaces.base import SPACES

PINNED = Path(__file__).parent / "pinned_code.json"
"""Of every part the revision and the digest of its code, and of what all runs share the record format and the digest.

Where this differs: would the same configuration give other rows? Then raise the part's `revision`, or the format, and
say so in the changelog. Then pin what is: python tests/runs/test_code.py
"""


def digests() -> dict[str, list[object]]:
    from harness.runs.study import RECORD_FORMAT

    found: dict[str, list[object]] = {code.OWN: [RECORD_FORMAT, code.digest_shared_code()]}
    for registry in (SPACES, SEARCHERS, REGULARIZERS, PROBES):
        for name, cls in registry.classes.items():
            if code.is_own(cls):
                found[f"{registry.one} {name}"] = [getattr(cls, "revision", 1), code.digest_of(cls)]
    return found


def test_our_own_code_is_what_its_revisions_say() -> None:
    assert digests() == json.loads(PINNED.read_text()), test_our_own_code_is_what_its_revisions_say.__module__


def test_comments_docstrings_and_empty_lines_are_no_code() -> None:
    plain = code._strip_comments('"""A."""\n\n# b\ndef f():\n    """C."""\n    # d\n    return "e"  \n')
    assert plain == 'def f():\n    return "e"'
    assert code._strip_comments('def f():\n    return "f"') != plain


def test_a_part_of_another_package_is_that_package_s_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own file, and what stands beside it; and it is in the run's identity."""
    package = tmp_path / "nas_elsewhere"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "numbers.py").write_text("STRENGTH = 1.0\n")
    (package / "part.py").write_text(
        "from harness.search.regularizers.base import Regularizer\n"
        "from nas_elsewhere.numbers import STRENGTH\n\n\n"
        'class Elsewhere(Regularizer):\n    """E."""\n\n    name = "elsewhere"\n    neutral = {}\n'
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    cls = importlib.import_module("nas_elsewhere.part").Elsewhere
    monkeypatch.setitem(REGULARIZERS.classes, "elsewhere", cls)
    configuration = {"space": "nasbench201", "dataset": {"name": "digits"}, "method": {"darts": {}, "elsewhere": {}}}
    first = code.digest_foreign_code(configuration)
    assert list(first) == ["regularizer elsewhere"]
    assert "regularizer elsewhere" in code.digest_code(configuration)
    (package / "numbers.py").write_text("STRENGTH = 2.0\n")
    for cached in (code.digest_of, code._digest_parts, code._read_plain):
        cached.cache_clear()
    assert code.digest_foreign_code(configuration) != first
    sys.modules.pop("nas_elsewhere.part")
    code._digest_parts.cache_clear()


@pytest.fixture
def other(small_study: Path, tmp_path: Path) -> Path:
    """A finished study whose searcher has other code today."""
    out = tmp_path / "out"
    planned = plan(load_study(small_study, ['methods=["darts"]', "epochs=1"], "0..1"), out)
    assert [o.error for o in run_all(planned, "cpu", 1)] == [None, None]
    assert describe_code([p.folder.manifest() for p in planned]) == []
    path = planned[0].folder.final / MANIFEST
    manifest = json.loads(path.read_text())
    manifest["code"]["searcher darts"] = "0" * 12
    path.write_text(json.dumps(seal_manifest(manifest)))
    return out


def call(study: Path, out: Path, verb: str, *more: str) -> tuple[int, str]:
    settings = ["--set", 'methods=["darts"]', "--set", "epochs=1", "--seeds", "0..1", "--out", str(out)]
    done = CliRunner().invoke(main, [verb, str(study), *settings, *more])
    return done.exit_code, done.output


def test_runs_of_other_code_are_named_refused_and_computed_again(small_study: Path, other: Path) -> None:
    told = "1 of 2 runs by other code of searcher darts than is installed now"
    for verb in ("status", "run", "compare"):
        assert told in call(small_study, other, verb)[1].replace("\n", " ")
    baseline = other / "b.parquet"
    assert call(small_study, other, "gate", "--write", str(baseline))[0] == 0
    for options in ((), ("--exact",)):
        exit_code, text = call(small_study, other, "gate", "--against", str(baseline), *options)
        assert exit_code == 2
        assert told in text.replace("\n", " ") and "--again" in text
    assert call(small_study, other, "run", "--again")[0] == 0
    exit_code, text = call(small_study, other, "gate", "--against", str(baseline), "--exact")
    assert exit_code == 0, text
    assert list((other / "small" / ".other-code").iterdir())


def test_a_checkpoint_of_other_code_is_not_gone_on_from(small_study: Path, tmp_path: Path) -> None:
    (p,) = plan(load_study(small_study, ['methods=["darts"]'], "0"), tmp_path)
    p.folder.open()
    p.folder.save_checkpoint({}, {"epochs": []}, {"recorded": 1}, {"searcher darts": "0" * 12})
    (outcome,) = run_all([p], "cpu", 1)
    assert outcome.error is not None and "was begun with other code of searcher darts" in outcome.error
    assert p.folder.begun_by_other(code.digest_code(p.run.describe()))
    p.folder.set_aside(".other-code")
    assert [o.error for o in run_all([p], "cpu", 1)] == [None]


def test_manifests_that_kept_no_code_are_not_judged() -> None:
    check_code([{"configuration": {}}], "x")
    with pytest.raises(HarnessError, match="1 of 1 runs by other code of harness"):
        check_code([{"configuration": {"space": "nasbench201"}, "code": {"harness": "0"}}], "x")


if __name__ == "__main__":
    PINNED.write_text(json.dumps(digests(), indent=1) + "\n")
