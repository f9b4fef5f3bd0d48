"""Claims: the published ones against the real table and real runs, and files that are wrong."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.core.errors import HarnessError
from harness.core.notation import read_toml
from harness.results.load import load_folder
from harness.runs.study import load_study
from harness.tables.catalog import open_table
from harness.verdicts.claims.base import CLAIMS, Evidence, Protocol, Undecided
from harness.verdicts.claims.check import Checked, check_all, find_in_folders
from harness.verdicts.claims.files import read_claims, read_folder
from harness.verdicts.claims.kinds.whole_table import compute_expected
from harness.verdicts.claims.page import render_page
from tests.conftest import ROOT

FOLDER = ROOT / "benchmarks" / "published"
RESULTS = ROOT / "results" / "published"
LOGS = RESULTS.parent / "public-logs"
PROTOCOL = Protocol(data="digits", split="test")
C100 = "cifar100/x-test@200"


@pytest.fixture(scope="module")
def checked() -> dict[str, Checked]:
    return {
        f"{c.named.group}/{c.named.name}": c for c in check_all(read_folder(FOLDER), find_in_folders(RESULTS, LOGS))
    }


def claim(kind: str, **fields: object):  # type: ignore[no-untyped-def]
    return CLAIMS.build(kind, {"says": "s", "source": "s", "protocol": PROTOCOL, **fields})


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("natsbench-darts-cifar100/darts-v1-cells", 61.26),
        ("natsbench-darts-cifar100/darts-v2-cells", 60.49),
        ("natsbench-darts-imagenet16-120/darts-v1-cells", 37.88),
        ("natsbench-darts-imagenet16-120/darts-v2-cells", 26.06),
        ("natsbench-darts-cifar10/darts-v1-cells", 54.30),
        ("nasbench201-table/optimum-cifar100", 73.51),
    ],
)
def test_published_numbers_are_those_of_the_table(checked: dict[str, Checked], name: str, found: float) -> None:
    verdict = checked[name].verdict
    assert verdict.state == "reproduced"
    assert verdict.found == pytest.approx(found, abs=0.0051)
    assert verdict.noise is not None and 0.1 < verdict.noise < 1


def test_what_cannot_be_decided_is_not(checked: dict[str, Checked]) -> None:
    """Each was once said to be reproduced, or not to be."""
    table = {name: checked[f"nasbench201-table/{name}"].verdict for name in (
        "setn-cifar10", "resnet", "idarts-log", "gdas-conflicting",
    )}  # fmt: skip
    assert {v.state for v in table.values()} == {"cannot be tested"}
    assert "of such rows are some cell's by chance" in table["setn-cifar10"].why
    assert "the nearest is 0.19 away" in table["resnet"].why
    assert "one training, which the source may mean, may well have 93.78" in table["idarts-log"].why
    assert (
        "1 cell of 15,625 with all of it: #138; 5 % of such rows are some cell's by chance"
        in table["gdas-conflicting"].why
    )
    assert "#2299" in checked["nasbench201-table/conflicting-darts-transfer"].verdict.why


@pytest.mark.parametrize(
    ("name", "state", "found"),
    [
        ("optimum-cifar100-valid", "reproduced", "73.4933 (#9930)"),
        ("optimum-imagenet-valid", "reproduced", "46.7333 (#10676)"),
        ("optimum-imagenet-other", "not reproduced", "46.7333 (#10676)"),
    ],
)
def test_a_maximum_over_all_cells_decides_and_one_over_a_part_does_not(
    checked: dict[str, Checked], name: str, state: str, found: str
) -> None:
    """Validation of CIFAR-100 and ImageNet16-120 was known of 2,516 cells; the best of a part is a lower bound."""
    now = checked[f"nasbench201-table/{name}"]
    assert (now.verdict.state, now.verdict.why) == (state, f"the best of 15,625 known cells is {found}")
    before = now.named.claim.check(Evidence(open_table("nasbench201@ec9e34050e32")))
    assert before.state == "cannot be tested"
    assert "13,109 are not known, and one of them may be better" in before.why


def test_what_nobody_said_is_a_question(checked: dict[str, Checked]) -> None:
    assert checked["nasbench201-table/conflicting-darts-one-cell"].verdict.state == "a question"
    for c in checked.values():
        if any(word in c.named.claim.source.lower() for word in ("recollection", "our question", "no number was")):
            assert c.verdict.state == "a question", c.named.name
    assert "a question" not in {c.verdict.state for c in checked.values() if c.named.claim.quoted}


def test_runs_of_another_protocol_decide_nothing_and_are_told(checked: dict[str, Checked]) -> None:
    verdict = checked["smoothdarts-nasbench201/darts-collapses"].verdict
    assert verdict.state == "cannot be tested"
    assert "cifar10-8 is a reduced study, epochs are 12, the claim's 100; found: 7 of 10 runs" in verdict.why
    assert "so have 54.4 % of random cells" in verdict.why
    rises = checked["smoothdarts-s2/darts-eigenvalue-rises"].verdict
    assert rises.state == "a question" and "two-sided p = 0.44 among 7 tests" in rises.why


def test_a_study_by_name_alone_decides_nothing(tmp_path: Path) -> None:
    """Runs on digits with a tiny network, called as the study that a claim is about."""
    text = (FOLDER / "smoothdarts-nasbench201.claims.toml").read_text().replace("small = [", 'small = ["x", ')
    (tmp_path / "a.claims.toml").write_text(text.replace('["smoothdarts-nasbench201"]', '["ten-seeds"]'))
    (tmp_path / "ten-seeds.toml").write_text((ROOT / "benchmarks" / "trajectories" / "cifar10-8.toml").read_text())
    found = {
        c.named.name: c.verdict
        for c in check_all(read_claims(tmp_path / "a.claims.toml"), find_in_folders(RESULTS, LOGS))
    }
    assert found["darts-collapses"].state == "cannot be tested"
    assert "dataset.name is digits100, not npz" in found["darts-collapses"].why


def test_deviation_is_over_n_and_not_n_minus_1() -> None:
    evidence = Evidence(open_table("nasbench201"))
    cells = {"cells": [3521, 3521, 12830], "measure": C100, "value": 61.26}
    for std, deviation, state in (
        ("n", 4.43, "reproduced"),
        ("n-1", 4.43, "not reproduced"),
        ("n-1", 5.42, "reproduced"),
    ):
        said = claim("mean-of-cells", **cells, deviation=deviation).model_copy(
            update={"protocol": Protocol(data="CIFAR-100", split="test", std=std)}
        )
        assert said.check(evidence).state == state


def test_expectation_of_random_search_is_that_of_draws() -> None:
    table = np.array([1.0, 2.0, 2.0, 3.0]), np.array([10.0, 20.0, 40.0, 50.0])
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, 4, (200_000, 2))
    tied = rng.permuted(np.tile(np.arange(4), (200_000, 1)), axis=1)  # a coin between equals
    order = table[0][drawn] * 100 + np.take_along_axis(tied, drawn, axis=1)
    ends = table[1][np.take_along_axis(drawn, order.argmax(axis=1)[:, None], axis=1)[:, 0]]
    mean, deviation = compute_expected(*table, 2)
    assert mean == pytest.approx(ends.mean(), abs=0.15)
    assert deviation == pytest.approx(ends.std(), abs=0.15)


def test_a_number_of_draws_that_fits_shows_nothing(checked: dict[str, Checked]) -> None:
    verdict = checked["nasbench201-table/random-search"].verdict
    assert verdict.state == "cannot be tested"
    assert "chosen to fit" in verdict.why


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    runs = load_folder(RESULTS / "ten-seeds")
    return Evidence(runs.table, runs=runs)


def test_claims_about_runs_have_three_verdicts(evidence: Evidence) -> None:
    ends = {"method": "darts", "measure": "digits100/x-test@4"}
    mean = claim("final-accuracy", **ends, value=44.0).check(evidence)
    assert (mean.state, mean.n) == ("cannot be tested", 10)  # ten random cells end there, too
    assert "so is that of random cells in" in mean.why
    assert mean.interval is not None and mean.interval.low < mean.interval.estimate < mean.interval.high
    assert claim("final-accuracy", **ends, value=95.0).check(evidence).state == "not reproduced"
    shown = claim("lower-error", method="sdarts-adv", against="darts").check(evidence)
    assert (shown.state, shown.n) == ("cannot be tested", 10)
    share = {"method": "darts", "failure": "above-random", "relation": "more than"}
    common = claim("collapsed-share", **share, value=0.05).check(evidence)
    assert common.state == "cannot be tested" and "what random cells do, too, says nothing of a method" in common.why
    assert claim("collapsed-share", **share, value=0.99).check(evidence).state == "not reproduced"
    rises = claim("quantity-rises", method="darts", column="hessian_largest").check(evidence)
    assert rises.found is not None and rises.n == 10 and "two-sided p" in rises.why


def test_what_runs_cannot_decide_says_why(evidence: Evidence) -> None:
    number = claim("final-accuracy", method="darts", measure="digits100/x-test@4", value=50)
    with pytest.raises(Undecided, match="no finished run of 'gdas', only of darts"):
        claim("lower-error", method="gdas", against="darts").check(evidence)
    with pytest.raises(Undecided, match="did not measure 'nothing'"):
        claim("quantity-rises", method="darts", column="nothing").check(evidence)
    with pytest.raises(Undecided, match="nothing ran"):
        number.check(Evidence(evidence.table, no_runs="nothing ran"))


def test_a_trend_with_a_dose(evidence: Evidence) -> None:
    """Public searches of S1 and S3 at seven weight decays; the networks of the last two have died on S3."""
    s1, s3 = (Evidence(None, runs=load_folder(LOGS / f"robustdarts-{s}")) for s in ("s1", "s3"))
    said = {"quantity": "skips", "dose": "weight_decay", "direction": "falls"}
    found = claim("trend", **said, highest=0.0243).check(s1)
    assert (found.state, found.n) == ("reproduced", 75)
    assert claim("trend", **said | {"direction": "rises"}, highest=0.0243).check(s1).state == "not reproduced"
    assert claim("trend", **said, highest=0.0243).check(s3).state == "reproduced"
    assert claim("trend", **said).check(s3).state == "cannot be tested"
    sharp = claim("trend", **said | {"quantity": "eigenvalue", "dose": "drop_path"}).check(s1)
    assert (sharp.state, sharp.n) == ("cannot be tested", 15)
    onset = claim("trend", quantity="onset", skips=6, dose="weight_decay", direction="rises", highest=0.0243)
    assert onset.check(s3).state == "reproduced"
    with pytest.raises(Undecided, match="do not say 'epsilon' in their names, but 'weight_decay'"):
        claim("trend", **said | {"dose": "epsilon"}).check(s1)
    with pytest.raises(HarnessError, match="the methods' names say no dose that differs"):
        claim("trend", **said).check(evidence)


def test_weight_of_an_operation_after_an_epoch(evidence: Evidence) -> None:
    said = {"method": "darts", "epoch": 0}
    first = claim("at-epoch", quantity="weight of skip_connect", value=0.2, **said).check(evidence)
    assert first.state == "reproduced" and "one further run is to be expected between" in first.why
    assert (
        claim("at-epoch", quantity="weight of skip_connect", value=0.3, **said).check(evidence).state
        == "not reproduced"
    )
    with pytest.raises(Undecided, match="has no operation 'skip'"):
        claim("at-epoch", quantity="weight of skip", value=0.2, **said).check(evidence)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('paper = "p"\n[claims.a]\nsays = "s"', "needs the key 'kind': choose from"),
        ('paper = "p"\n[claims.a]\nkind = "optimun"', "unknown claim 'optimun': did you mean 'optimum'"),
        ('papr = "p"\n[claims.a]\nkind = "optimum"', "has no key 'papr': did you mean 'paper'"),
        ('paper = "p"\n[claims.a]\nkind = "optimum"\nsays = "s"\nsource = "s"', "needs the key 'protocol'"),
        ('paper = "p"\n[claims.a]\nkind = "optimum"\nvalu = 1', "has no key 'valu': did you mean 'value'"),
    ],
)
def test_wrong_files_are_told_in_a_sentence(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "a.claims.toml"
    path.write_text(text)
    with pytest.raises(HarnessError, match=says):
        read_claims(path)
    with pytest.raises(HarnessError, match="there are no claims"):
        read_folder(tmp_path / "nowhere")


STUDIES = [p for p in sorted(FOLDER.glob("*.toml")) if not p.name.endswith(".claims.toml")]


@pytest.mark.parametrize("path", STUDIES, ids=lambda p: p.stem)
def test_every_published_study_has_its_claims(path: Path) -> None:
    raw = read_toml(path, "study")
    assert raw["name"] == path.stem
    (claims,) = [p for p in FOLDER.glob("*.claims.toml") if p.name == f"{path.stem.removesuffix('-small')}.claims.toml"]
    file = read_claims(claims)[0].file
    assert path.stem in (*file.studies, *file.small)
    assert all((FOLDER / f"{s}.toml").is_file() or s == "cifar10-8" for s in (*file.studies, *file.small))
    methods = {m for c in read_claims(claims) for m in (getattr(c.claim, "method", None),) if m}
    assert path.stem.endswith("-small") or methods <= set(raw["methods"])


def test_a_table_that_is_not_here_says_how_to_get_it() -> None:
    with pytest.raises(HarnessError, match="harness tables fetch nasbench101-only108, then harness tables add"):
        load_study(FOLDER / "smoothdarts-nasbench1shot1-s1.toml")


def test_page_is_up_to_date(checked: dict[str, Checked]) -> None:
    """Write it again with: harness claims write."""
    assert (ROOT / "docs" / "claims.md").read_text() == render_page(list(checked.values()))


def test_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    listed = CliRunner().invoke(main, ["claims", "--format", "csv"])
    assert listed.exit_code == 0 and "reproduced" in listed.stdout
    refused = CliRunner().invoke(main, ["claims", "check", str(RESULTS / "ten-seeds")])
    assert refused.exit_code == 2 and "is about runs of 'ten-seeds'" in refused.output
