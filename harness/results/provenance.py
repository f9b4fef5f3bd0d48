"""What runs were computed with: what differs between them is said wherever they are read together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.notation import parse_json
from harness.runs.code import find_changed_code
from harness.runs.manifest import MANIFEST
from harness.runs.store import scan_folder
from harness.runs.study import RECORD_FORMAT


def record_format(manifest: dict[str, Any]) -> int | None:
    """The record format of a run; None where the manifest is none of a run."""
    found = manifest.get("record_format", manifest.get("configuration", {}).get("format"))
    return found if isinstance(found, int) else None


def classify_device(manifest: dict[str, Any]) -> str:
    """cpu or cuda with its name, without the device's number."""
    environment = manifest["environment"]
    if "device_class" in environment:
        return str(environment["device_class"])
    kind, _, name = str(environment["device"]).partition(" ")
    return f"{kind.partition(':')[0]} {name}"


def describe_machines(manifests: Sequence[dict[str, Any]]) -> list[str]:
    """Of each run, what computed it, as far as runs differ in it and all of them tell it: device, processor, torch,
    libraries. Empty texts where one machine computed all."""
    told = [
        {"device": classify_device(m)} | {key: m["environment"].get(key) for key in ("processor", "torch", "libraries")}
        for m in manifests
    ]
    apart = [key for key in (told[0] if told else ()) if len({repr(each[key]) for each in told}) > 1]
    known = [key for key in apart if all(each[key] is not None for each in told)]
    return [", ".join(describe_part(key, each[key]) for key in known) for each in told]


def label_machines(keys: Sequence[tuple[str, int]], manifests: Sequence[dict[str, Any]]) -> dict[tuple[str, int], str]:
    """What computed each run; empty where one machine did."""
    told = describe_machines(manifests)
    return dict(zip(keys, told, strict=True)) if any(told) else {}


def describe_part(key: str, value: Any) -> str:
    """What is told of a machine's part."""
    told = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"torch {told}" if key == "torch" else told


def list_provenance(manifests: Sequence[dict[str, Any]], where: object) -> list[str]:
    """Clauses that a verdict on these runs must carry; none where all were computed alike by this record format.

    Raises:
        HarnessError: the runs are of several record formats, whose rows differ under equal configurations.
    """
    formats = Counter(record_format(m) for m in manifests)
    if len(formats) > 1:
        told = ", ".join(f"{n} of format {f}" for f, n in sorted(formats.items(), key=str))
        raise HarnessError(f"{where} mixes runs of several record formats ({told}): read each format by itself")
    clauses = [f"record format {f}, older than this version's {RECORD_FORMAT}" for f in formats if f != RECORD_FORMAT]
    clauses += describe_mixture("on", describe_machines(manifests))
    clauses += describe_mixture("in", (m["environment"].get("precision", "fp32") for m in manifests))
    clauses += describe_mixture("by harness", (m["environment"]["harness"] for m in manifests))
    return clauses + describe_code(manifests)


def describe_code(manifests: Sequence[dict[str, Any]]) -> list[str]:
    """Which runs were computed by other code than is installed now, a clause a group of parts; none where none was, or
    where no digests were kept."""
    groups: dict[tuple[str, ...], int] = Counter(tuple(find_changed_code(m)) for m in manifests)
    return [
        f"{n} of {len(manifests)} runs by other code of {', '.join(parts)} than is installed now (harness run --again "
        "computes them anew)"
        for parts, n in sorted(groups.items())
        if parts
    ]


def check_code(manifests: Sequence[dict[str, Any]], what: str) -> None:
    """Refuse runs of other code than is installed now: a verdict on them would be none on this code.

    Raises:
        HarnessError: says which parts differ, and what computes the runs anew.
    """
    if told := describe_code(manifests):
        raise HarnessError(f"{what}: {'; '.join(told)}")


def describe_mixture(word: str, values: Iterable[str]) -> list[str]:
    """ "3 runs on cpu, 7 on cuda" where there are several values, else nothing."""
    counts = Counter(values)
    if len(counts) < 2:
        return []
    (first, n), *others = sorted(counts.items())
    runs = "run" if n == 1 else "runs"
    return [", ".join([f"{n} {runs} {word} {first}", *(f"{m} {word} {value}" for value, m in others)])]


def describe_left_out(root: Path, names: Iterable[str]) -> list[str]:
    """A sentence for each other record format of which there are finished runs in a study's folder.

    names: folders that need no look, as they are of this format.
    """
    known = set(names)
    found: dict[int, list[Path]] = defaultdict(list)
    for name in sorted(scan_folder(root).finished - known):
        try:
            other = record_format(parse_json((root / name / MANIFEST).read_bytes()))
        except (OSError, ValueError, AttributeError):
            continue
        if other not in (None, RECORD_FORMAT):
            found[other].append(root / name)
    sentences = []
    for other, paths in found.items():
        many = len(paths) > 1
        age = "an older" if other < RECORD_FORMAT else "a newer"
        sentences.append(
            f"{len(paths)} run{'s' if many else ''} of {age} record format ({other}) {'are' if many else 'is'} left "
            f"out: delete {paths[0]}{' and its like' if many else ''}, or read {'them' if many else 'it'} with the "
            "version of harness that wrote it"
        )
    return sentences
