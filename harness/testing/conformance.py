"""Replay of conformance records: inputs and outputs of published search code, step by step, in float64.

A record (`.npz`) holds an initial state, batches, noise, and what the published code made of them; this replays the
same steps through the library's own search and reports the largest relative error of every quantity. A derivation
file (`.json`) holds architecture tensors with the adjacency matrix and module hash that the published decoder gives.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.core.errors import HarnessError
from harness.core.streams import Make, Streams
from harness.measures.early_stopping import early_stop
from harness.measures.hessian import hessian, largest_eigenvalue
from harness.search.build import build_search
from harness.search.loop import SupernetSearch
from harness.search.methods import Method, method
from harness.search.training import Training
from harness.spaces.base import SPACES, Space
from harness.spaces.nasbench1shot1.space import NASBench1Shot1

TOLERANCE = 1e-9
"""Largest relative error of a conforming quantity in float64."""

METHODS = {
    "darts1": "darts",
    "darts2": "darts-2nd",
    "sdarts_rs": "sdarts-rs",
    "sdarts_adv": "sdarts-adv",
    "msdarts": "ms-darts",
    "pcdarts": "pc-darts",
    "pcdarts_sdarts_adv": "pc-darts + sdarts-adv",
    "forward": "darts",
    "hessian": "darts",
}
"""Methods of records, by the name of the method here."""


@dataclass(frozen=True)
class Check:
    """One quantity of one record; error is relative to the quantity's largest entry (0 or inf for exact ones)."""

    record: str
    quantity: str
    error: float

    @property
    def conforms(self) -> bool:
        return self.error <= TOLERANCE


@dataclass(frozen=True)
class Skipped:
    """A file that this version cannot replay, and why."""

    record: str
    reason: str


class ReplayedStreams(Streams):
    """Hands out recorded noise instead of drawing."""

    def __init__(self) -> None:
        super().__init__(0)
        self.queue: list[Tensor] = []

    def draw(self, name: str, make: Make, device: torch.device) -> Tensor:
        if not self.queue:
            raise HarnessError("the record holds less noise than the method draws: it was made by another method")
        noise, like = self.queue.pop(0), make(self[name])
        if noise.shape != like.shape:
            raise HarnessError(f"recorded noise has shape {tuple(noise.shape)} where {tuple(like.shape)} is drawn")
        return noise.to(like)


def relative_error(ours: Any, recorded: Any) -> float:
    """max |ours - recorded| / max |recorded|; inf where shapes differ or a value is not finite."""
    a, b = np.asarray(ours, dtype=np.float64), np.asarray(recorded, dtype=np.float64)
    if a.shape != b.shape or not (np.isfinite(a).all() and np.isfinite(b).all()):
        return float("inf")
    if a.size == 0:
        return 0.0
    scale = np.abs(b).max()
    return float(np.abs(a - b).max() / (scale if scale > 0 else 1.0))


def conform(paths: list[Path]) -> Iterator[Check | Skipped]:
    """Replay every record among the paths (files, or folders searched for .npz and .json)."""
    for path in paths:
        if not path.exists():
            raise HarnessError(f"no conformance record at {path}: name a .npz or .json file or a folder of them")
        files = [path] if path.is_file() else sorted(p for p in path.iterdir() if p.suffix in (".npz", ".json"))
        if not files:
            raise HarnessError(f"the folder {path} holds no conformance record (.npz or .json)")
        for file in files:
            yield from replay_derivation(file) if file.suffix == ".json" else replay(file)


def load_record(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray[Any, Any]]]:
    """Meta data and arrays of a record."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
        return json.loads(str(arrays.pop("meta"))), arrays
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise HarnessError(f"{path} is not a readable conformance record ({error}): fetch it again") from None


def group(arrays: dict[str, np.ndarray[Any, Any]], prefix: str) -> list[Tensor]:
    """The tensors prefix/0, prefix/1, ... in order."""
    found: list[Tensor] = []
    while (key := f"{prefix}/{len(found)}") in arrays:
        found.append(torch.from_numpy(arrays[key]))
    return found


def recorded_method(meta: dict[str, Any]) -> Method:
    """The method with the record's hyperparameters; epsilon is held constant, as recorded."""
    chosen = method(METHODS[meta["method"]])
    radius = {"epsilon": meta.get("eps"), "epsilon_start": meta.get("eps")}
    attack = {"steps": meta.get("pgd_steps", 7), "random_start": meta.get("pgd_random_start", False)}
    fields = {
        "random-smoothing": radius,
        "adversarial": radius | attack,
        "mean-shift": radius | {key: meta.get(key) for key in ("rounds", "samples", "bandwidth")},
        "partial-channels": {"k": meta.get("partial_channels")},
    }
    return chosen.override({part: fields[part] for part in chosen.parts() if part in fields})


def recorded_space(name: str) -> Space:
    """The space that records call so."""
    named = [cls for cls in SPACES.classes.values() if cls.recorded_as == name]
    found: Space = named[0]() if named else SPACES.find(name)()
    return found


def recorded_search(
    space: Space, meta: dict[str, Any], arrays: dict[str, np.ndarray[Any, Any]], streams: Streams
) -> SupernetSearch:
    """A search in the record's initial state, with the preset `official`."""
    chosen = recorded_method(meta)
    choices = space.presets["official"].model_copy(update={"clip_counts_alpha": meta["clip_includes_alpha"]})
    images = next(arrays[key] for key in ("forward/x", "step0/x", "step0/xs") if key in arrays)
    training = Training(
        batch_size=meta["batch"],
        order="alpha-first" if meta["order"] == "alpha then weights" else "weights-first",
        learning_rate=meta["lr"],
        momentum=meta["momentum"],
        weight_decay=meta["weight_decay"],
        gradient_clip=meta["grad_clip"],
        alpha_learning_rate=meta["arch_lr"],
        alpha_betas=tuple(meta["arch_betas"]),
        alpha_weight_decay=meta["arch_wd"],
    )
    search = build_search(
        space,
        chosen,
        channels=meta["C"],
        cells=meta["layers"] if "layers" in meta else meta["N"],
        classes=meta["classes"],
        image_channels=images.shape[1],
        epochs=1,
        streams=streams,
        training=training,
        preset=choices,
        dtype=torch.float64,
    )
    net = search.net
    state = {name: torch.from_numpy(arrays[f"init/weights/{net.published_name(name)}"]) for name in net.state_dict()}
    net.load_state_dict(state)
    with torch.no_grad():
        for alpha, recorded in zip(search.alphas, group(arrays, "init/alpha"), strict=True):
            alpha.copy_(recorded)
    return search


def replay(path: Path) -> Iterator[Check | Skipped]:
    """Every quantity of one search record."""
    meta, arrays = load_record(path)
    record = path.stem
    if meta.get("method") not in METHODS:
        yield Skipped(record, f"method {meta.get('method')!r} is not replayed by this version")
        return
    space = recorded_space(meta["space"])
    streams = ReplayedStreams()
    try:
        search = recorded_search(space, meta, arrays, streams)
        streams.queue = group(arrays, "forward/noise")
        yield from replay_forward(record, space, search, arrays)
        if meta["method"] == "hessian":
            yield from replay_hessian(record, meta, search, arrays)
        elif meta["steps"]:
            yield from replay_steps(record, meta, search, streams, arrays)
    except (KeyError, RuntimeError) as error:
        raise HarnessError(f"{path} does not fit its own meta data ({error}): the record is damaged") from None


def replay_forward(
    record: str, space: Space, search: SupernetSearch, arrays: dict[str, np.ndarray[Any, Any]]
) -> Iterator[Check]:
    """The single train-mode pass at the initial state; the state is put back."""
    if "forward/x" not in arrays:
        return
    before = {name: value.clone() for name, value in search.net.state_dict().items()}
    batch = torch.from_numpy(arrays["forward/x"]), torch.from_numpy(arrays["forward/y"])
    mix = search.searcher.relax(search.alphas)
    logits = search.net(batch[0], mix)
    loss = torch.nn.functional.cross_entropy(logits, batch[1])
    gradients = torch.autograd.grad(loss, search.alphas)
    search.net.load_state_dict(before)
    yield Check(record, "forward logits", relative_error(logits.detach(), arrays["forward/logits"]))
    yield Check(record, "forward loss", relative_error(loss.detach(), arrays["forward/loss"]))
    errors = [relative_error(g, r) for g, r in zip(gradients, group(arrays, "forward/grad_alpha"), strict=True)]
    yield Check(record, "forward alpha gradient", max(errors))
    if "forward/genotype" in arrays:
        derived = space.derive([a.detach().numpy() for a in search.alphas])
        same = derived == space.published(arrays["forward/genotype"])
        yield Check(record, "derived architecture", 0.0 if same else float("inf"))


def replay_steps(
    record: str,
    meta: dict[str, Any],
    search: SupernetSearch,
    streams: ReplayedStreams,
    arrays: dict[str, np.ndarray[Any, Any]],
) -> Iterator[Check]:
    """The search steps, then the final state."""
    errors: dict[str, list[float]] = {"loss": [], "alpha": [], "perturbed": []}
    for t in range(meta["steps"]):
        x, y, xs, ys = (torch.from_numpy(arrays[f"step{t}/{k}"]) for k in ("x", "y", "xs", "ys"))
        streams.queue = group(arrays, f"step{t}/noise")
        loss = search.step((x, y), (xs, ys), 0, meta["lr"])
        errors["loss"].append(relative_error(loss, arrays[f"step{t}/loss"]))
        errors["alpha"] += _errors([a.detach() for a in search.alphas], group(arrays, f"step{t}/alpha_after"))
        if recorded := group(arrays, f"step{t}/perturbed"):
            errors["perturbed"] += _errors([m.detach() for m in search.last_mix], recorded)
    yield Check(record, "training losses", max(errors["loss"]))
    yield Check(record, "alpha after each step", max(errors["alpha"]))
    if errors["perturbed"]:
        yield Check(record, "perturbed mixing weights", max(errors["perturbed"]))
    yield Check(record, "final alpha", max(_errors([a.detach() for a in search.alphas], group(arrays, "final/alpha"))))
    state = search.net.state_dict()
    final = {n: relative_error(v, arrays[f"final/weights/{search.net.published_name(n)}"]) for n, v in state.items()}
    trained = {n for n, _ in search.net.named_parameters()}
    yield Check(record, "final weights", max(e for n, e in final.items() if n in trained))
    yield Check(record, "final batch-norm statistics", max(e for n, e in final.items() if n not in trained))


def replay_hessian(
    record: str, meta: dict[str, Any], search: SupernetSearch, arrays: dict[str, np.ndarray[Any, Any]]
) -> Iterator[Check]:
    """The Hessian of the validation loss over all logits, with the L2 factor of alpha on its diagonal."""
    batch = torch.from_numpy(arrays["step0/xs"]), torch.from_numpy(arrays["step0/ys"])
    search.net.train()
    with search.net.readable():
        matrix = hessian(lambda alphas: search.loss_at(alphas, batch), search.alphas, ridge=meta["arch_wd"])
    yield Check(record, "Hessian", relative_error(matrix, arrays["hessian/matrix"]))
    yield Check(record, "largest eigenvalue", relative_error(largest_eigenvalue(matrix), arrays["hessian/max_eig"]))


def _errors(ours: list[Tensor], recorded: list[Tensor]) -> list[float]:
    return [relative_error(a, b) for a, b in zip(ours, recorded, strict=True)]


def replay_derivation(path: Path) -> Iterator[Check | Skipped]:
    """Decoding of recorded architecture tensors: adjacency, operations and module hash must be equal; or eigenvalue
    traces, which must stop where the published rule does."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise HarnessError(f"{path} is not a readable conformance record ({error}): fetch it again") from None
    if isinstance(content, list) and all(isinstance(run, dict) and "max_eigenvalue" in run for run in content):
        stops = [early_stop(run["epochs"], run["max_eigenvalue"]) or (None, None) for run in content]
        recorded = [(run["triggered_at_epoch"], run["returned_epoch"]) for run in content]
        same = [tuple(a) == b for a, b in zip(stops, recorded, strict=True)]
        yield Check(path.stem, f"early stop of {len(content)} traces", 0.0 if all(same) else float("inf"))
        return
    if not isinstance(content, dict) or "cases" not in content:
        yield Skipped(path.stem, "not a derivation file")
        return
    if all("normal" in case for case in content["cases"]):
        spaces = {case["space"]: recorded_space(case["space"]) for case in content["cases"]}
        found = [spaces[case["space"]].derive([np.asarray(a) for a in case["alphas"]]) for case in content["cases"]]
        same = [a == spaces[case["space"]].published(case) for a, case in zip(found, content["cases"], strict=True)]
        yield Check(path.stem, f"architectures of {len(same)} cases", 0.0 if all(same) else float("inf"))
        return
    wrong: dict[str, int] = {"adjacency": 0, "operations": 0, "module hash": 0}
    for case in content["cases"]:
        space: NASBench1Shot1 = SPACES.find(f"nasbench1shot1.s{case['space']}")()
        derived = space.derive([np.asarray(a) for a in case["alphas"]])
        matrix, operations = space.matrix(derived)
        wrong["adjacency"] += matrix.tolist() != case["adjacency"]
        wrong["operations"] += operations != case["ops"]
        wrong["module hash"] += derived.key != case["module_hash"]
    for quantity, count in wrong.items():
        yield Check(path.stem, f"{quantity} of {len(content['cases'])} cases", float("inf") if count else 0.0)
