"""Reading claims: one TOML file beside the study that can decide them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.core.errors import HarnessError
from harness.core.notation import read_toml
from harness.core.registry import explain
from harness.verdicts.claims.base import CLAIMS, Claim

SUFFIX = ".claims.toml"
DEFAULT_FOLDER = Path("benchmarks/published")
"""Where the project keeps its claims, seen from its own folder."""


class ClaimsFile(BaseModel):
    """What a file of claims may say.

    paper: whose claims they are. table: what decides those that need no search. studies: names of the studies at
    published size, small: of reduced ones, whose runs can decide the others. protocol: of every claim that has none.
    claims: {name: {kind = ..., fields of the kind}}.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    paper: str
    table: str | None = None
    studies: list[str] = []
    small: list[str] = []
    protocol: dict[str, Any] | None = None
    claims: dict[str, dict[str, Any]]


@dataclass(frozen=True)
class NamedClaim:
    """A claim with its name and the file that says it."""

    name: str
    claim: Claim
    file: ClaimsFile
    path: Path

    @property
    def group(self) -> str:
        return self.path.name.removesuffix(SUFFIX)


def read_claims(path: Path) -> list[NamedClaim]:
    """The claims of one file; a wrong one is an error that names it."""
    raw = read_toml(path, "claims")
    try:
        file = ClaimsFile.model_validate(raw)
    except ValidationError as error:
        raise HarnessError(explain(error, f"claims {path}", ClaimsFile.model_fields)) from None
    return [
        NamedClaim(name, _build_claim(path, file, name, fields), file, path) for name, fields in file.claims.items()
    ]


def _build_claim(path: Path, file: ClaimsFile, name: str, fields: dict[str, Any]) -> Claim:
    where = f"claim {name!r} of {path}"
    content = dict(fields)
    if "kind" not in content:
        raise HarnessError(f"{where} needs the key 'kind': choose from: {', '.join(CLAIMS.classes)}")
    cls = CLAIMS.find(content.pop("kind"))
    if file.protocol is not None:
        content["protocol"] = file.protocol | content.get("protocol", {})
    try:
        claim: Claim = cls.model_validate(content)
    except ValidationError as error:
        raise HarnessError(explain(error, where, cls.model_fields)) from None
    return claim


def read_folder(folder: Path) -> list[NamedClaim]:
    """All claims of a folder: those that need no search first."""
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    if not paths:
        raise HarnessError(
            f"there are no claims (*{SUFFIX}) in {folder}: name their folder with --claims, or run this where the "
            f"project has {DEFAULT_FOLDER}"
        )
    found = [named for path in paths for named in read_claims(path)]
    return sorted(found, key=lambda n: n.claim.needs_runs)
