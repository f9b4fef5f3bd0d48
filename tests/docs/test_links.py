"""Every relative link of what is read on a code host or in a checkout leads somewhere, to a heading that is there."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.conftest import ROOT

FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1[ \t]*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+).+?\1", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^()\s<>]*(?:\([^()\s]*\)[^()\s]*)*)>?(?:\s+\"[^\"]*\")?\s*\)")
REFERENCE = re.compile(r"^\[[^\]]+\]:\s*(\S+)", re.MULTILINE)
HTML = re.compile(r"<(?:a|img)\b[^>]*?(?:href|src)=\"([^\"]+)\"")
IDS = re.compile(r"(?:id|name)=\"([^\"]+)\"")
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)
LEFT_OUT = {".git", ".venv", "build", "node_modules"}
PAGES = sorted(
    path
    for path in (*ROOT.rglob("*.md"), *(ROOT / "notebooks").glob("*.ipynb"))
    if not LEFT_OUT & set(path.relative_to(ROOT).parts)
)


def words(page: Path) -> str:
    """What a page says, without its blocks of code."""
    text = page.read_text()
    if page.suffix == ".ipynb":
        cells = json.loads(text)["cells"]
        text = "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    return FENCE.sub("", text)


def links(page: Path) -> Iterator[str]:
    text = words(page)
    prose = CODE.sub("", text)
    for found in (LINK, HTML):
        yield from found.findall(prose)
    yield from REFERENCE.findall(text)


def anchors(page: Path) -> set[str]:
    """What a page can be linked to by: its headings as code hosts name them, and what HTML names itself."""
    seen: Counter[str] = Counter()
    found = set(IDS.findall(words(page)))
    for title in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", words(page), re.MULTILINE):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title)
        slug = re.sub(r"[^\w\- ]", "", plain.lower()).strip().replace(" ", "-")
        found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
        seen[slug] += 1
    return found


def dead(page: Path, link: str) -> str | None:
    """Why a link leads nowhere."""
    path, _, anchor = unquote(link).partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.is_relative_to(ROOT.resolve()):
        return "leads out of the project"
    if not target.exists():
        return "is not there"
    if anchor and target.suffix == ".md" and anchor not in anchors(target):
        return f"has no heading {anchor!r}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    relative = [link for link in links(page) if not ELSEWHERE.match(link)]
    assert [f"{link} {why}" for link in relative if (why := dead(page, link))] == []


def test_links_are_found_and_judged(tmp_path: Path) -> None:
    """A page of which half of the links are dead."""
    page = ROOT / "docs" / "page.md"
    assert dead(page, "howto/export.md") is None
    assert dead(page, "howto/export.md#while-it-runs") is None
    assert dead(page, "howto/export.md#in-a-dream") == "has no heading 'in-a-dream'"
    assert dead(page, "howto/exports.md") == "is not there"
    assert dead(page, "../../elsewhere.md") == "leads out of the project"
    text = '[a](b.md) `[c](d.md)` ![e](f.png "g") <img src="h.png">\n\n```sh\n[i](j.md)\n```\n[k]: l.md\n'
    (tmp_path / "page.md").write_text(text)
    assert sorted(links(tmp_path / "page.md")) == ["b.md", "f.png", "h.png", "l.md"]
    assert sum(1 for page in PAGES for _ in links(page)) > 100
