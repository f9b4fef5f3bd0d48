"""Archives whose members point elsewhere: only what is wanted is taken out of them, and nothing lands outside."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from benchmarks.reliability.case import Case, toml_file
from benchmarks.reliability.contained import command
from benchmarks.reliability.studies import changed, images
from harness.core.errors import HarnessError
from harness.datasets.official import Archive, _get

WANTED = "wanted.bin"
CONTENT = b"what is wanted"
NAMES = (
    "../x", "../../x", "/tmp/attack-x", "a/../../x", "..", ".", "./" + WANTED + "/..", "a\\..\\x", "C:\\x", "a" * 300,
    "\u202ex", "x\n", "", "-x", "~/x", ".lock", f".{WANTED}.part", "/", "a/",
)  # fmt: skip
LINKS = ("../outside", "/etc/hostname", WANTED, "/dev/zero", ".", "..")
KINDS: dict[str, bytes] = {
    "symbolic link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.CHRTYPE, "pipe": tarfile.FIFOTYPE,
    "folder": tarfile.DIRTYPE,
}  # fmt: skip


def tar_of(*members: tuple[str, bytes | None, bytes, str], mode: str = "w:gz") -> bytes:
    """An archive of members: name, content, kind, and where a link leads."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content, kind, leads in members:
            about = tarfile.TarInfo(name)
            about.type, about.linkname, about.size = kind, leads, len(content or b"")
            archive.addfile(about, io.BytesIO(content) if content is not None else None)
    return out.getvalue()


def zip_of(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name or "x"), content)
    return out.getvalue()


def unpack(folder: Path, content: bytes, *, whole: bool | None) -> str | None:
    """Unpack it as a published data set's. whole: whether what is wanted is in it, as a file; None: nobody knows."""
    there, outside = folder / "a" / "b", folder / "outside"
    there.mkdir(parents=True)
    outside.write_text("as it was")
    (there / "archive").write_bytes(content)
    about = Archive(
        file="archive", title="t", url="https://example.invalid/a", size="1 kB", licence="none", citation="none",
        md5=hashlib.md5(content).hexdigest(), files={WANTED: hashlib.md5(CONTENT).hexdigest()},
    )  # fmt: skip
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}
    try:
        _get(about, there, lambda line: None)
        refused = False
    except HarnessError:
        refused = True
    after = {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file() or p.is_symlink()}
    strange = set(after) - set(before) - {there / WANTED}
    if (
        strange
        or outside.read_text() != "as it was"
        or any(after.get(p) != t for p, t in before.items() if p.parent != there)
    ):
        return f"wrote outside: {sorted(map(str, strange))}"
    if (there / WANTED).is_symlink() or Path("/tmp/attack-x").exists():
        return "wrote a link, or outside"
    if not refused and (there / WANTED).read_bytes() != CONTENT:
        return "wrong bytes"
    return None if whole is None or refused != whole else f"refused {refused}, though what is wanted is in it: {whole}"


def of_images(folder: Path, harm: Callable[[Path], None]) -> str | None:
    """Images in an .npz archive, in a study."""
    path = Path(images(folder, 8, 64))
    harm(path)
    study = changed(dataset={"name": "npz", "path": str(path)}, table="none")
    (folder / "study.toml").write_text(toml_file(study))
    for words in (["plan", "study.toml"], ["run", "study.toml", "--jobs", "1"]):
        if fault := command(words, folder, seconds=30).fault((0, 1, 2)):
            return fault
    return None if not (folder.parent / "x.npy").exists() else "wrote outside"


def with_member(path: Path, name: str, content: bytes) -> None:
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, content)


def array(value: object) -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray(value), allow_pickle=False)
    return out.getvalue()


def named() -> Iterator[Case]:
    regular = (WANTED, CONTENT, tarfile.REGTYPE, "")
    for mode in ("w", "w:gz", "w:xz"):
        yield Case("archives", f"tar {mode}", lambda f, m=mode: unpack(f, tar_of(regular, mode=m), whole=True))
    for name in NAMES:
        odd = (name, b"other", tarfile.REGTYPE, "")
        yield Case("archives", f"tar: {name!r}", lambda f, o=odd: unpack(f, tar_of(o, regular), whole=True))
        yield Case(
            "archives", f"zip: {name!r}", lambda f, n=name: unpack(f, zip_of((n, b"o"), (WANTED, CONTENT)), whole=True)
        )
        yield Case("archives", f"tar: only {name!r}", lambda f, o=odd: unpack(f, tar_of(o), whole=False))
        below = (f"{name}/{WANTED}", CONTENT, tarfile.REGTYPE, "")
        yield Case("archives", f"tar: wanted in {name!r}", lambda f, o=below: unpack(f, tar_of(o), whole=True))
    for kind, flag in KINDS.items():
        for leads in LINKS:
            link = (WANTED, None, flag, leads)
            yield Case("archives", f"tar: {kind} to {leads}", lambda f, o=link: unpack(f, tar_of(o), whole=False))
            yield Case(
                "archives", f"tar: {kind} to {leads}, then the file",
                lambda f, o=link: unpack(f, tar_of(o, regular), whole=True),
            )  # fmt: skip
    whole = tar_of(regular)
    for cut in (0, 1, 10, len(whole) // 2, len(whole) * 3 // 4):
        yield Case("archives", f"tar: cut at {cut}", lambda f, c=cut: unpack(f, whole[:c], whole=False))
    for form, packed in (
        ("tar", whole),
        ("tar w:xz", tar_of(regular, mode="w:xz")),
        ("zip", zip_of((WANTED, CONTENT))),
    ):
        for place in (20, len(packed) // 2, len(packed) * 3 // 4):
            flipped = packed[:place] + bytes([packed[place] ^ 1]) + packed[place + 1 :]
            yield Case("archives", f"{form}: a bit of byte {place}", lambda f, c=flipped: unpack(f, c, whole=None))
    yield Case("archives", "zip: another content", lambda f: unpack(f, zip_of((WANTED, b"other")), whole=False))
    harms: dict[str, Callable[[Path], None]] = {
        "as it is": lambda p: None,
        "a member elsewhere": lambda p: with_member(p, "../x.npy", array([1])),
        "an absolute member": lambda p: with_member(p, "/tmp/attack-x.npy", array([1])),
        "validation elsewhere": lambda p: with_member(p, "../valid_images.npy", array([1])),
        "no array": lambda p: with_member(p, "valid_images.npy", b"text"),
        "one half of a pair": lambda p: with_member(p, "valid_labels.npy", array([1])),
        "cut": lambda p: p.write_bytes(p.read_bytes()[:-30]) and None,
        "a folder as array": lambda p: with_member(p, "valid_images.npy/", b""),
    }
    for what, harm in harms.items():
        yield Case("archives", f"npz: {what}", lambda f, h=harm: of_images(f, h))
