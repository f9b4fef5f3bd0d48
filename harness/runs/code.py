"""Which code computes a run: a digest of the source of each of its parts, and of what all runs share.

Comments and docstrings do not count. A part of another package counts with all of its package.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import hash_bytes
from harness.core.registry import Registry
from harness.datasets.base import DATASETS
from harness.search.probes.base import PROBES
from harness.search.regularizers.base import REGULARIZERS
from harness.search.searchers.base import SEARCHERS
from harness.spaces.base import SPACES

OWN = "harness"
SHARED = (
    "core/arithmetic.py", "core/optimizers.py", "core/seeds.py", "core/streams.py", "datasets/base.py", "measures",
    "runs/rows.py", "runs/run.py", "search", "search/probes/base.py", "search/regularizers/base.py",
    "search/searchers/base.py", "spaces/base.py", "spaces/blocks",
)  # fmt: skip
"""Files, and folders without those in them, whose code every run shares."""
DIGITS = 12
UNREADABLE = "no source"


def digest_code(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The digests of the installed code of a run's parts, by what they are, of its resolved configuration.

    A part that is not installed here has none.
    """
    return dict(_digest_parts(list_named_parts(configuration)))


def digest_foreign_code(configuration: Mapping[str, Any]) -> dict[str, str]:
    """The digests of those of the parts that are of other packages than this one."""
    foreign = {
        f"{registry.one} {name}"
        for kind, name in list_named_parts(configuration)
        for registry in KINDS[kind]
        if name in registry.classes and not is_own(registry.classes[name])
    }
    return {part: digest for part, digest in digest_code(configuration).items() if part in foreign} if foreign else {}


def find_changed_code(manifest: Mapping[str, Any]) -> list[str]:
    """The parts of a run, by its manifest, whose code is not what is installed now; none where it kept no digests."""
    kept = manifest.get("code")
    if not isinstance(kept, dict):
        return []
    now = _digest_parts(list_named_parts(manifest["configuration"]))
    return sorted(part for part, digest in kept.items() if now.get(part) != digest)


def is_own(cls: type[Any]) -> bool:
    return cls.__module__.partition(".")[0] == OWN


def list_named_parts(configuration: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Kind and name of every part in a configuration."""
    dataset = configuration.get("dataset")
    return (
        ("space", str(configuration.get("space"))),
        *((("dataset", str(dataset.get("name"))),) if isinstance(dataset, dict) else ()),
        *(("method", str(name)) for name in configuration.get("method", {})),
        *(("probe", str(name)) for name in configuration.get("probes", {})),
    )


KINDS: dict[str, tuple[Registry, ...]] = {
    "space": (SPACES,),
    "dataset": (DATASETS,),
    "method": (SEARCHERS, REGULARIZERS),
    "probe": (PROBES,),
}


@cache
def _digest_parts(named: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """`digest_code`, once for all runs of the same parts."""
    parts = [(r, r.classes[name]) for kind, name in named for r in KINDS[kind] if name in r.classes]
    return {OWN: digest_shared_code()} | {f"{registry.one} {cls.name}": digest_of(cls) for registry, cls in parts}  # type: ignore[arg-type]


@cache
def digest_shared_code() -> str:
    """The digest of the code that every run of this package shares."""
    root = Path(__file__).parents[1]
    files = [f for name in SHARED for f in (sorted((root / name).glob("*.py")) or [root / name])]
    return _digest(files, root)


@cache
def digest_of(cls: type[Any]) -> str:
    """The digest of the code of a part: of its file or folder, and of those of the classes that it is made of."""
    files: dict[Path, Path] = {}
    for base in cls.__mro__:
        package = base.__module__.partition(".")[0]
        if package in sys.stdlib_module_names or (base is not cls and package != cls.__module__.partition(".")[0]):
            continue
        for file, root in _list_files(base):
            files[file] = root
    if not files:  # written where there is no file, such as a notebook
        try:
            return hash_bytes(_strip_comments(inspect.getsource(cls)).encode())[:DIGITS]
        except (OSError, TypeError):
            return UNREADABLE
    return _digest(sorted(files), next(iter(files.values())))


def _list_files(cls: type[Any]) -> list[tuple[Path, Path]]:
    """The files of a class, each with the folder that their names are told from."""
    module = sys.modules.get(cls.__module__)
    path = getattr(module, "__file__", None)
    if path is None:
        return []
    file = Path(path)
    if is_own(cls):
        # a space is a folder, every other part is a file
        folder = file.parent
        own_folder = folder.parent.name == "spaces" and folder.name != "blocks"
        return [(f, folder.parent) for f in (sorted(folder.glob("*.py")) if own_folder else [file])]
    top = importlib.util.find_spec(cls.__module__.partition(".")[0])
    places = list(top.submodule_search_locations or []) if top else []
    if not places:
        return [(file, file.parent)]
    return [(f, Path(place)) for place in places for f in sorted(Path(place).rglob("*.py"))]


def _digest(files: Sequence[Path], root: Path) -> str:
    told = "".join(f"{f.relative_to(root) if f.is_relative_to(root) else f.name}\n{_read_plain(f)}\n" for f in files)
    return hash_bytes(told.encode())[:DIGITS]


@cache
def _read_plain(path: Path) -> str:
    try:
        return _strip_comments(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError) as error:
        raise HarnessError(f"the code in {path} cannot be read: {error}") from None


def _strip_comments(source: str) -> str:
    """Source without docstrings, lines that are comments, and empty ones."""
    lines = source.splitlines()
    statements: list[ast.AST] = [ast.parse(source)]
    for node in statements:  # alone, as `ast.walk` looks at what is inside of them, too
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            statements += found if isinstance(found := getattr(node, name, None), list) else ()
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for place in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[place] = ""
    return "\n".join(kept for line in lines if (kept := line.rstrip()) and not kept.lstrip().startswith("#"))
