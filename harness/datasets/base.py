"""Data in memory, and what a search draws its batches from: images, drawn by index, for one (texts: `texts.py`).

Every data set has three parts: `train` (the half that trains the weights), `valid` (the half that trains alpha, as
published for DARTS) and `test`. Parts are disjoint and do not depend on the run's seed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.core.errors import HarnessError
from harness.core.lazy import F, torch
from harness.core.registry import Plugin, Registry
from harness.core.seeds import derive_seed
from harness.core.streams import Streams, send_to_device
from harness.spaces.base import Preset

if TYPE_CHECKING:
    from torch import Tensor

DATASETS = Registry("datasets", "harness.datasets")

Part = Literal["train", "valid", "test"]


Batch = tuple[Any, "Tensor"]
"""What a network takes, and the label of each of its answers."""
Scores = Callable[[Any], "Tensor"]
"""A network's answers [labels, classes] to what it takes."""
EVALUATION_BATCH = 500
SAMPLE = 2048
"""Images of a half that are looked at for faults."""
HALVES: tuple[tuple[Part, str], ...] = (("train", "training"), ("valid", "search-validation"))


class Feed:
    """What a search draws its batches from: a training and a validation batch a step, until the epoch has no more. This
    class is for a search that is given every batch: it has none.

    steps_per_epoch: how many steps an epoch has, about as many where that is drawn.
    """

    steps_per_epoch: int = 0

    def begin_epoch(self) -> None:
        """Begin an epoch."""

    def more(self) -> bool:
        """Whether the epoch has another step."""
        return False

    def next(self, part: Part) -> Batch:
        """The next batch of a part; of a step, that of training is asked for first."""
        raise HarnessError("no data are bound to this search: call bind first")

    def further(self) -> Batch:
        """A training batch by streams that no step draws from."""
        raise HarnessError("no data are bound to this search: call bind first")

    def carry(self, part: Part, batch: Batch) -> None:
        """Keep what the network left of a batch for the next one of its part."""

    def rate(self, batch: Batch) -> float:
        """The factor of the learning rate of a weight step on a training batch."""
        return 1.0

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint holds of it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""


class Data(ABC):
    """A data set in memory. classes: of the labels. kind: what its items are, in the plural: a space says which it
    takes (`Space.reads`). measured: what an evaluation gives besides the loss, as it is called in a column, with its
    unit. image_channels: 0 where its items are no images."""

    classes: int
    kind: ClassVar[str]
    measured: ClassVar[str]
    image_channels: int = 0

    @abstractmethod
    def size(self, part: Part) -> int:
        """Number of items to draw from."""

    @abstractmethod
    def feed(
        self, *, batch_size: int, sampling: str, steps_per_epoch: int | None, preset: Preset, streams: Streams
    ) -> Feed:
        """Batches for a search, from its streams. sampling, steps_per_epoch: see `search.training.Training`."""

    @abstractmethod
    def evaluated(self, scores: Scores, part: Part, preset: Preset, count: int | None = None) -> tuple[float, float]:
        """Mean cross-entropy in nats and what is `measured`, of the first `count` items of a part (all, if not said).
        The device is waited for once."""

    def evaluated_size(self, part: Part) -> int:
        """How many items of a part are evaluated, where all are."""
        return self.size(part)

    @abstractmethod
    def sample(self, part: Part, count: int, generator: torch.Generator) -> Batch:
        """At most so many items of a part, drawn without augmentation."""

    @abstractmethod
    def drawn(self, part: Part, count: int, generator: torch.Generator) -> Batch:
        """So many items of a part, drawn with replacement, as for training."""

    @abstractmethod
    def example(self, count: int) -> tuple[Any, int]:
        """What a network takes, of so many items without content, and how many answers it has to give."""

    @abstractmethod
    def problems(self, name: str, batch_size: int) -> list[str]:
        """What is wrong with the data for batches of this size, in a sentence each; name: of the data set."""


class Images(Data):
    """Images in memory. shape: (channels, height, width) of an image."""

    kind = "images"
    measured = "accuracy_pct"
    shape: tuple[int, int, int]

    @property
    def image_channels(self) -> int:  # type: ignore[override]
        return self.shape[0]

    @abstractmethod
    def batch(self, part: Part, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Images [n, channels, height, width] (float, normalized, augmented as for training) and labels [n]."""

    @abstractmethod
    def evaluation(self, part: Part) -> tuple[Tensor, Tensor]:
        """A fixed set of images without augmentation, and labels: the same on every call and in every run."""

    def feed(
        self, *, batch_size: int, sampling: str, steps_per_epoch: int | None, preset: Preset, streams: Streams
    ) -> ImageFeed:
        return ImageFeed(self, batch_size, sampling, steps_per_epoch, streams)

    def evaluated(self, scores: Scores, part: Part, preset: Preset, count: int | None = None) -> tuple[float, float]:
        images, labels = self.stored(part)
        return evaluate_scores(lambda x: scores(self.prepare(x)), images[:count], labels[:count])

    def evaluated_size(self, part: Part) -> int:
        return len(self.stored(part)[1])

    def sample(self, part: Part, count: int, generator: torch.Generator) -> Batch:
        images, labels = self.stored(part)
        chosen = torch.randperm(len(labels), generator=generator)[:count].to(labels.device)
        return self.prepare(images[chosen]), labels[chosen]

    def stored(self, part: Part) -> tuple[Tensor, Tensor]:
        """The images of `evaluation` before `prepare`, and labels. What is asked for is prepared alone: a half of float
        images can be larger than all else in memory."""
        return self.evaluation(part)

    def prepare(self, images: Tensor) -> Tensor:
        """Stored images as networks take them."""
        return images

    def drawn(self, part: Part, count: int, generator: torch.Generator) -> Batch:
        index = torch.randint(0, self.size(part), (count,), generator=generator)
        return self.batch(part, index, generator)

    def example(self, count: int) -> tuple[Any, int]:
        return torch.zeros(count, *self.shape), count

    def problems(self, name: str, batch_size: int) -> list[str]:
        found = []
        for part, word in HALVES:
            size = self.size(part)
            if size < batch_size:
                found.append(
                    f"the {word} half of {name} has {size} images, fewer than one batch of {batch_size}: lower "
                    "training.batch_size, or give more images"
                )
            if not size:
                continue
            generator = torch.Generator().manual_seed(derive_seed(0, "check"))
            chosen = torch.randint(0, size, (min(size, SAMPLE),), generator=generator)
            x, labels = self.batch(part, chosen, generator)
            if not torch.isfinite(x).all():
                found.append(f"the {word} half of {name} has pixels that are no numbers: mend the file")
            if labels.min() < 0 or labels.max() >= self.classes:
                found.append(f"the {word} half of {name} has labels outside 0..{self.classes - 1}: mend the file")
            elif labels.min() == labels.max():
                found.append(
                    f"the {word} half of {name} has images of one class alone ({int(labels[0])}), and there is "
                    "nothing to tell apart: shuffle the file, or give other data"
                )
        return found


class ImageFeed(Feed):
    """Batches of images, each half by its own stream."""

    def __init__(
        self, images: Images, batch_size: int, sampling: str, steps_per_epoch: int | None, streams: Streams
    ) -> None:
        self.images, self.batch_size, self.streams = images, batch_size, streams
        self.steps_per_epoch = steps_per_epoch or images.size("train") // batch_size
        # each weight step uses new training images until all were seen, whatever the validation sampling
        self.halves = {
            "train": Batches(images.size("train"), batch_size, "pass", streams["train-order"]),
            "valid": Batches(images.size("valid"), batch_size, sampling, streams["valid-order"]),
        }
        self.taken = 0

    def begin_epoch(self) -> None:
        self.taken = 0

    def more(self) -> bool:
        return self.taken < self.steps_per_epoch

    def next(self, part: Part) -> Batch:
        self.taken += part == "train"
        return self.images.batch(part, self.halves[part].next(), self.streams[f"{part}-augment"])

    def further(self) -> Batch:
        order = torch.randperm(self.images.size("train"), generator=self.streams["further-order"])
        return self.images.batch("train", order[: self.batch_size], self.streams["further-augment"])

    def state_dict(self) -> dict[str, Any]:
        return {f"{part}_batches": batches.state_dict() for part, batches in self.halves.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for part, batches in self.halves.items():
            batches.load_state_dict(state[f"{part}_batches"])


def evaluate_scores(scores: Scores, images: Tensor, labels: Tensor) -> tuple[float, float]:
    """Mean cross-entropy and accuracy in % of a network as a function of images. The device is waited for once."""
    sums = torch.zeros(2, dtype=torch.float64, device=images.device)
    with torch.no_grad():
        for x, y in zip(torch.split(images, EVALUATION_BATCH), torch.split(labels, EVALUATION_BATCH), strict=True):
            found = scores(x)
            sums += torch.stack([F.cross_entropy(found, y, reduction="sum"), (found.argmax(dim=1) == y).sum()])
    loss, right = sums.tolist()
    return loss / len(labels), 100 * right / len(labels)


class Dataset(Plugin):
    """Where a data set comes from; `load` brings it onto the device."""

    def describe(self) -> dict[str, Any]:
        """What a run's identity says of the data: the fields, but not where on this machine the files are."""
        return {k: v for k, v in self.model_dump(mode="json").items() if not isinstance(getattr(self, k), Path)}

    @abstractmethod
    def load(self, device: torch.device) -> Any:
        """The data set, a `Data`, ready to draw from."""


class StoredImages(Images):
    """Items held as tensors: uint8 images with optional pad-and-crop and horizontal flip, normalized on the way out.

    parts: (uint8 images [n, channels, height, width], labels [n]) of each part. mean, std: per channel, of
    images scaled to [0, 1]. pad: pixels of zero padding before the random crop (0: no crop).
    """

    def __init__(
        self,
        parts: dict[Part, tuple[Tensor, Tensor]],
        *,
        classes: int,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        pad: int,
        flip: bool,
        device: torch.device,
    ) -> None:
        self.parts = {part: (x.to(device), y.to(device).long()) for part, (x, y) in parts.items()}
        images = parts["train"][0]
        self.classes, self.pad, self.flip = classes, pad, flip
        self.shape = (images.shape[1], images.shape[2], images.shape[3])
        self.mean = torch.tensor(mean, device=device).view(-1, 1, 1)
        self.std = torch.tensor(std, device=device).view(-1, 1, 1)

    def size(self, part: Part) -> int:
        return len(self.parts[part][1])

    def batch(self, part: Part, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        images, labels = self.parts[part]
        index = send_to_device(index, images.device)
        return self.prepare(augment(images[index], self.pad, self.flip, generator)), labels[index]

    def evaluation(self, part: Part) -> tuple[Tensor, Tensor]:
        images, labels = self.stored(part)
        return self.prepare(images), labels

    def stored(self, part: Part) -> tuple[Tensor, Tensor]:
        return self.parts[part]

    def prepare(self, images: Tensor) -> Tensor:
        return (images.float() / 255 - self.mean) / self.std


def augment(x: Tensor, pad: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Random crop of the zero-padded image and random horizontal flip, each image on its own.

    x: [n, channels, height, width], before normalization, so that the border is black as in the published transforms
    (pad, crop, flip, normalize).
    """
    n, _, height, width = x.shape
    if not pad and not flip:
        return x
    rows = torch.arange(height, device=x.device).expand(n, -1)
    columns = torch.arange(width, device=x.device).expand(n, -1)
    if pad:
        down, right = send_to_device(torch.randint(0, 2 * pad + 1, (2, n), generator=generator), x.device)
        rows, columns = rows + down[:, None], columns + right[:, None]
        x = torch.nn.functional.pad(x, (pad, pad, pad, pad))
    if flip:
        chosen = send_to_device(torch.rand(n, generator=generator) < 0.5, x.device)
        columns = torch.where(chosen[:, None], columns.flip(-1), columns)
    items = torch.arange(n, device=x.device)[:, None, None]
    # advanced indices around a slice put the indexed axes first: [n, height, width, channels]
    return x[items, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def cut_out(x: Tensor, side: int, generator: torch.Generator, share: float = 1.0) -> Tensor:
    """Set a square of each image, or of a share of them, to zero, at a random center, cut off at the border
    (DeVries & Taylor 2017, arXiv 1708.04552). x: [n, channels, height, width], normalized. side: in pixels."""
    count, _, height, width = x.shape
    centers = send_to_device(torch.rand(3, count, generator=generator), x.device)
    inside = []
    for place, length in ((0, height), (1, width)):
        low = (centers[place] * length).floor()[:, None] - side // 2
        position = torch.arange(length, device=x.device)
        inside.append((position >= low) & (position < low + side))
    square = inside[0][:, :, None] & inside[1][:, None, :] & (centers[2] < share)[:, None, None]
    return x.masked_fill(square[:, None], 0.0)


class Batches:
    """Endless batches of indices from a named stream, resumable at any position.

    sampling "pass": one shuffled pass after another (an incomplete last batch is dropped); "replacement": the head
    of a fresh shuffle every time.
    """

    def __init__(self, size: int, batch_size: int, sampling: str, generator: torch.Generator) -> None:
        self.size, self.batch_size, self.sampling, self.generator = size, batch_size, sampling, generator
        self.order = torch.empty(0, dtype=torch.long)
        self.position = 0
        self.shuffled_from: Tensor | None = None
        """The generator's state before the last shuffle, which a checkpoint holds in place of the order."""

    def next(self) -> Tensor:
        if self.sampling == "replacement" or self.position + self.batch_size > len(self.order):
            self.shuffled_from = self.generator.get_state()
            self.order = torch.randperm(self.size, generator=self.generator)
            self.position = 0
        chosen = self.order[self.position : self.position + self.batch_size]
        self.position += self.batch_size
        return chosen

    def state_dict(self) -> dict[str, Any]:
        return {"shuffled_from": self.shuffled_from, "position": self.position}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.shuffled_from, self.position = state["shuffled_from"], state["position"]
        if self.shuffled_from is not None:
            shuffler = torch.Generator()
            shuffler.set_state(self.shuffled_from)
            self.order = torch.randperm(self.size, generator=shuffler)
