"""Seeds from names, and names of seeds."""

from __future__ import annotations

import hashlib
import re


def derive_seed(*parts: object) -> int:
    """A 63-bit seed from any printable parts (BLAKE2b of their representation, stable across processes)."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 1


def parse_seeds(text: str) -> list[int]:
    """Seeds written 0..9 (both ends included), 3, or 0,2,5..7."""
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:\.\.\s*(\d+)\s*)?", part)
        if not match:
            raise ValueError(f"seeds {text!r} cannot be read: write 0..9, 3, or 0,2,5..7")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f"seeds {part.strip()!r} count down and name no seed: write {last}..{first}")
        seeds.extend(range(first, last + 1))
    if len(set(seeds)) != len(seeds):
        raise ValueError(f"seeds {text!r} name a seed twice")
    return seeds
