"""Seeds from names, and names of seeds."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from harness.core.text import brief

MOST = 10_000
"""Seeds of a study."""


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from any printable parts (BLAKE2b of their representation, stable across processes)."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def parse_seeds(text: str) -> list[int]:
    """Seeds written 0..9 (both ends included), 3, or 0,2,5..7."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,20})\s*(?:\.\.\s*(\d{1,20})\s*)?", part)
        if not match:
            raise ValueError(f"seeds {text[:60]!r} cannot be read: write 0..9, 3, or 0,2,5..7")
        first, last = int(match[1]), int(match[2] or match[1])
        if last - first >= MOST or last >= 1 << 63:
            raise ValueError(f"seeds {part.strip()[:60]!r} are too many, or too large: at most {MOST:,}, below 2^63")
        if last < first:
            raise ValueError(f"seeds {part.strip()!r} count down and name no seed: write {last}..{first}")
        seeds.extend(range(first, last + 1))
        if len(seeds) > MOST:
            raise ValueError(f"seeds {text[:60]!r} are more than {MOST:,}")
    check_seeds(seeds)
    return seeds


def check_seeds(seeds: Any) -> Any:
    """The list of seeds, if each is a whole number and there once; ValueError if not. (What is no list is left to
    whoever validates it.)"""
    if isinstance(seeds, list):
        for seed in seeds:
            if type(seed) is not int or not 0 <= seed < 1 << 63:
                raise ValueError(f"{brief(seed)} is no seed: write whole numbers from 0 to 2^63 - 1")
        if len(set(seeds)) != len(seeds):
            twice = next(seed for seed in seeds if seeds.count(seed) > 1)
            raise ValueError(f"they name a seed twice, {twice}: leave one out")
        if len(seeds) > MOST:
            raise ValueError(f"these are more than {MOST:,} seeds")
    return seeds
