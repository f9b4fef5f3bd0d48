"""The report, in a real browser."""

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from harness.cli.main import main
from harness.report.build import build
from harness.results.load import open_runs
from harness.results.runs import Runs
from harness.runs.preregistration import DECLARED
from tests.conftest import ROOT
from tests.support.results import draw_ranks as seeds
from tests.support.results import made_up

PUBLISHED = ROOT / "results" / "published" / "digits"
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Headless Chromium; tests that need it are skipped where it is absent."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no chromium and chromedriver on the path")
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield opened
    opened.quit()


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    result = CliRunner().invoke(main, ["report", str(PUBLISHED), "--to", str(path)])
    assert result.exit_code == 0, result.output
    return path


def finished(results: Any) -> Runs:
    return replace(results, name="made-up", source=PUBLISHED, folder=PUBLISHED, standing=DECLARED)


def hover(browser: Any, x: int, y: int) -> str:
    """Point at a place of the chart, from its center; returns what the page tells then."""
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.by import By

    chart = browser.find_element(By.CSS_SELECTOR, "#chart svg")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", chart)
    ActionChains(browser).move_to_element_with_offset(chart, x, y).perform()
    return str(browser.find_element(By.ID, "details").text)


def test_page_needs_nothing_else(page: Path) -> None:
    """No address is fetched: no link, script, style or image from elsewhere."""
    text = page.read_text()
    assert not re.search(r"<link|<script[^>]+src=|@import|url\(", text)
    assert set(re.findall(r'src="([^:"]+:)', text)) == {"data:"}
    order = [text.index(f'<section id="{name}">') for name in ("verdicts", "results", "trajectories", "figures")]
    assert order == sorted(order)


@pytest.mark.parametrize("width", [1200, 390])
def test_page_in_a_browser(browser: Any, page: Path, width: int) -> None:
    """Nothing is wider than the screen, no error is logged, nothing is asked of the network; a run tells its row."""
    from selenium.webdriver.common.by import By

    browser.set_window_size(width, 900)
    browser.get(page.as_uri())
    wide, inner = browser.execute_script(
        "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= inner
    told = hover(browser, 40, 10)
    found = re.search(r"(\S+), seed (\d+), epoch (\d+) .*: ([\d.]+) %", told)
    assert found, told
    results = open_runs(PUBLISHED, [], None, PUBLISHED)
    rows = results.errors().set_index(["method", "seed", "epoch"])
    assert rows.loc[(found[1], int(found[2]), int(found[3])), "error_pct"] == pytest.approx(float(found[4]), abs=0.01)
    architectures = results.epochs.set_index(["method", "seed", "epoch"])["architecture"]
    assert architectures[found[1], int(found[2]), int(found[3])] in told
    assert "digits100/x-test@4" in told
    assert all(image.get_property("naturalWidth") > 0 for image in browser.find_elements(By.TAG_NAME, "img"))
    assert [e for e in browser.get_log("browser") if e["level"] == "SEVERE"] == []
    asked = re.findall(r'"url":"(https?:[^"]+)"', str(browser.get_log("performance")))
    assert asked == []


def test_methods_can_be_hidden_and_the_axis_turned(browser: Any, page: Path) -> None:
    from selenium.webdriver.common.by import By

    browser.set_window_size(1200, 900)
    browser.get(page.as_uri())
    lines = len(browser.find_elements(By.CSS_SELECTOR, "#chart .run"))
    assert lines == 12
    browser.find_element(By.CSS_SELECTOR, "#legend button").click()
    assert len(browser.find_elements(By.CSS_SELECTOR, "#chart .run")) == 9
    browser.find_element(By.ID, "axis").click()
    assert "seconds of search" in browser.find_element(By.CSS_SELECTOR, "#chart svg").text
    assert browser.find_element(By.ID, "axis").text == "against epochs"


@pytest.mark.long
def test_a_hundred_runs_of_a_hundred_epochs_are_drawn_at_once(browser: Any, tmp_path: Path) -> None:
    """The page of 10,000 points draws them all and answers; its size is stated."""
    from selenium.webdriver.common.by import By

    rng = np.random.default_rng(0)
    ranks = {m: [[int(r) for r in rng.integers(0, 15_000, 100)] for _ in range(25)] for m in "abcd"}
    path = build(finished(made_up(ranks)), tmp_path / "large.html")
    print(f"{path.stat().st_size / 1e6:.1f} MB")
    began = time.perf_counter()
    browser.get(path.as_uri())
    assert len(browser.find_elements(By.CSS_SELECTOR, "#chart .run")) == 100
    print(f"opened in {time.perf_counter() - began:.2f} s")
    assert "epoch" in hover(browser, 0, 0)


def test_verdicts_come_first_and_text_is_not_code(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    named = "<script>alert(1)</script>"
    results = made_up({"darts": seeds(rng, 8, 9_000, 15_000), named: seeds(rng, 8, 0, 2_000)})
    text = build(finished(results), tmp_path / "page.html").read_text()
    assert "<script>alert" not in text
    assert '<li class="shown">&lt;script&gt;alert(1)&lt;/script&gt; has a lower error than darts' in text
    assert "declared before the first run" in text


def test_one_method_has_no_verdict_but_a_page(tmp_path: Path) -> None:
    results = made_up({"darts": seeds(np.random.default_rng(0), 3, 0, 300)})
    text = build(finished(results), tmp_path / "page.html").read_text()
    assert "is the only method with finished runs" in text
    assert (tmp_path / "page.html").stat().st_size > 50_000


def test_a_page_asks_no_table_that_trains(tmp_path: Path) -> None:
    """Cells on the way were never looked up, and are not to be trained for a page."""
    page = tmp_path / "page.html"
    folder = ROOT / "results" / "published" / "smoothdarts-s2-small"
    result = CliRunner().invoke(main, ["report", str(folder), "--to", str(page)])
    assert result.exit_code == 0, result.output
    assert "npz/test@5" in page.read_text()
    # an endpoint without a value hides none of the verdicts that were declared
    assert "sdarts-rs against darts: no claim: 5 pairs of runs" in page.read_text()


def test_a_page_of_language_models_speaks_of_perplexity(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    folder = ROOT / "results" / "published" / "smoothdarts-text-small"
    assert CliRunner().invoke(main, ["report", str(folder), "--to", str(page)]).exit_code == 0
    text = page.read_text()
    assert "Endpoint: final perplexity, " in text
    data = json.loads(text.partition('id="data">')[2].partition("</script>")[0])
    assert (data["label"], data["unit"]) == ("perplexity, text-small/test@10", "")
    words = re.sub(r"<[^>]+>", " ", re.sub(r"<(svg|script|style).*?</\1>", "", text, flags=re.DOTALL))
    assert not re.search(r"\berrors?\b", words)
    compared = CliRunner().invoke(main, ["compare", str(folder)])
    assert "final perplexity" in compared.output and "final error" not in compared.output


def test_a_page_of_runs_that_share_draws_speaks_of_points_and_not_of_seeds(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    folder = ROOT / "results" / "published" / "cifar10-8-ledger"
    assert CliRunner().invoke(main, ["report", str(folder), "--to", str(page)]).exit_code == 0
    text = page.read_text()
    assert "54 points of a design a method, in which weights, logits, order, implementation vary by themselves" in text
    assert "54 seeds a method" not in text and "so few runs can show no difference" not in text
    assert "supernet.implementation: fast, readable" not in text
