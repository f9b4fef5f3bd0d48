"""Changing what a file says from the command line: settings written A.B=VALUE."""

from __future__ import annotations

from typing import Any

from harness.core.arguments import spell_argument
from harness.core.errors import HarnessError
from harness.core.notation import parse_toml

EXAMPLES = {"--set": "training.batch_size=32", "--set-executor": "partition=main"}


def apply_settings(raw: dict[str, Any], settings: list[str], option: str = "--set") -> None:
    """Change the raw study by settings written a.b=value; the value is TOML, or a bare string. option: what gave them,
    for the errors."""
    said = option if spell_argument(option.removeprefix("--")) == option else "settings"
    for setting in settings:
        path, equals, text = setting.partition("=")
        if not equals or not path.strip():
            raise HarnessError(f"{said} {setting!r} cannot be read: write {said} {EXAMPLES[option]}")
        try:
            value = parse_toml(f"value = {text}")["value"]
        except ValueError:
            value = text
        *parents, key = path.strip().split(".")
        node = raw
        for parent in parents:
            # the short forms of a study stand for tables
            if parent == "methods" and isinstance(node.get(parent), list):
                node[parent] = {name: {} for name in node[parent]}
            if parent == "dataset" and isinstance(node.get(parent), str):
                node[parent] = {"name": node[parent]}
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise HarnessError(f"{said} {setting!r} goes below {parent!r}, which is a single value")
        node[key] = value
