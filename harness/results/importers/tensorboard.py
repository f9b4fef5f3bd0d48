"""TensorBoard's event files in folders METHOD/seed<N>/, with the architecture of each epoch as text."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from harness.core.errors import HarnessError
from harness.core.files import resolve_path
from harness.results.exporters.tensorboard import read_method
from harness.results.importers.base import NAN, Epoch, Importer, Log
from harness.spaces.base import Space

SEED = re.compile(r"seed[_-]?(\d+)|(\d+)")
TAGS = {
    "train_loss": ("loss", "train_loss", "loss/train", "loss_train", "obj/train", "train/loss"),
    "valid_loss": ("valid_loss", "loss/valid", "loss_valid", "obj/valid", "valid/loss", "val/loss"),
    "accuracy": ("accuracy", "valid_acc", "accuracy/valid", "accuracy_valid", "acc/valid", "valid/acc", "val/acc"),
    "seconds": ("seconds",),
}
"""Names of scalars, in lower case, by what they are."""


class TensorBoardImporter(Importer):
    """TensorBoard's event files in folders METHOD/seed<N>/, with the architecture of each epoch as text.

    The step is the epoch. The text (`add_text`) that the table's space can read is the architecture; scalars are found
    by the names that published code gives them. Event files that hold scalars alone name no architecture; where
    SmoothDARTS and darts-pt wrote them, the text log beside them does. Needs the package tensorboard.
    """

    name = "tensorboard"
    tool = "TensorBoard"

    def recognizes(self, source: Path) -> bool:
        return source.is_dir() and any(source.rglob("events.out.tfevents.*"))

    def read(self, source: Path, space: Space) -> Log:
        folders = sorted({p.parent for p in source.rglob("events.out.tfevents.*")})
        if not folders:
            raise HarnessError(f"{source} holds no event files of TensorBoard (events.out.tfevents.*)")
        epochs: list[Epoch] = []
        for folder in folders:
            events = open_events(folder)
            texts = read_architectures(events, space)
            if texts:
                method, seed = parse_owner(folder, source)
                scalars = {kind: read_scalar(events, tags) for kind, tags in TAGS.items()}
                epochs += [
                    Epoch(
                        f"{folder}, step {step}",
                        method,
                        seed,
                        step,
                        text,
                        seconds=scalars["seconds"].get(step, NAN),
                        train_loss=scalars["train_loss"].get(step, NAN),
                        valid_loss=scalars["valid_loss"].get(step, NAN),
                        accuracy=scalars["accuracy"].get(step, NAN),
                    )
                    for step, text in sorted(texts.items())
                ]
        if not epochs:
            raise HarnessError(
                f"the event files in {source} hold no text that is an architecture of {space.name}: nothing can be "
                "looked up; import the text log beside them (harness import darts-log), or write a CSV"
            )
        return Log(epochs, folders)


def open_events(folder: Path) -> Any:
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError:
        raise HarnessError("reading event files needs the package tensorboard: pip install tensorboard") from None
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    return events


def read_architectures(events: Any, space: Space) -> dict[int, str]:
    """The texts that are architectures, by step."""
    for tag in events.Tags()["tensors"]:
        found = {}
        for event in events.Tensors(tag):
            values = event.tensor_proto.string_val
            text = values[0].decode(errors="replace").strip().strip("`") if values else ""
            try:
                found[int(event.step)] = space.parse(text).encoding
            except HarnessError:
                break
        if found:
            return found
    return {}


def read_scalar(events: Any, tags: tuple[str, ...]) -> dict[int, float]:
    """The scalar that has one of these names, by step."""
    for tag in events.Tags()["scalars"]:
        if tag.lower() in tags:
            return {int(e.step): float(e.value) for e in events.Scalars(tag)}
    return {}


def parse_owner(folder: Path, source: Path) -> tuple[str, int]:
    """Method and seed from the folders METHOD/seed<N>."""
    place = resolve_path(folder)
    found = SEED.fullmatch(place.name)
    if not found:
        raise HarnessError(f"{folder} does not end in METHOD/seed<N>: whose run it is, and its seed, are unknown")
    return read_method(place), int(found[1] or found[2])
