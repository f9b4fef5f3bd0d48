"""Write the pages of docs/reference: python -m tools.reference, in the root of a checkout."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from tools.reference.commands import commands
from tools.reference.parts import ROOT, claims, figures, methods, study
from tools.reference.python import api, plugins

PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "cli": commands,
    "api": api,
    "study": study,
    "methods": methods,
    "figures": figures,
    "claims": claims,
    "plugins": plugins,
}


def written(page: Callable[[], Iterator[str]]) -> str:
    """The text of a page."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(page())).strip() + "\n"


if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / "docs" / "reference" / f"{name}.md").write_text(written(page))
