"""Hostile studies: what `plan` accepts must run, and what it refuses it refuses in a sentence."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from benchmarks.reliability.case import Case, toml_file
from benchmarks.reliability.contained import command

SMALL: dict[str, Any] = {
    "name": "attacked",
    "space": "nasbench201",
    "dataset": {"name": "digits100", "evaluation_pairs": 32},
    "table": "nasbench201.digits",
    "methods": ["darts"],
    "seeds": [0],
    "epochs": 1,
    "supernet": {"channels": 2, "cells": 1},
    "training": {"batch_size": 4, "steps_per_epoch": 2},
}
CHEAP = {"epochs": 2, "channels": 16, "cells": 2, "batch_size": 64, "steps_per_epoch": 4}
"""The most of each that is run; a larger study that is accepted is planned alone."""
RUNS = 2


def changed(**changes: Any) -> dict[str, Any]:
    """The small study with other values at dotted places (a double underscore is a dot)."""
    study = copy.deepcopy(SMALL)
    for path, value in changes.items():
        put(study, path.split("__"), value)
    return study


def put(study: dict[str, Any], path: list[str], value: Any) -> None:
    node = study
    for part in path[:-1]:
        if not isinstance(node.get(part), dict):
            node[part] = {}
        node = node[part]
    node[path[-1]] = value


def images(folder: Path, side: int, count: int, channels: int = 3) -> str:
    """An .npz file of images; its path."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 255, (count, side, side, channels), dtype=np.uint8)
    labels = np.arange(count) % 4
    np.savez(folder / "images.npz", train_images=pixels, train_labels=labels, test_images=pixels, test_labels=labels)
    return str(folder / "images.npz")


def attack(folder: Path, text: str, study: dict[str, Any] | None = None, *, terminal: bool = False) -> str | None:
    """Plan a study; where that is accepted and cheap, run it and look at what came out."""
    path = folder / "study.toml"
    path.write_text(text)
    planned = command(["plan", path, "--out", folder / "out", "--format", "json"], folder)
    if fault := planned.fault():
        return f"plan: {fault}"
    if (folder / "out").exists():
        return "plan wrote something"
    if planned.code or not cheap(study, json.loads(planned.out)):
        return None
    words = ["run", path, "--out", folder / "out", "--jobs", "1", "--format", "json"]
    run = command(words, folder, terminal=terminal, seconds=20)
    if fault := run.fault((0, 1)):
        return f"plan accepted, and run: {fault}"
    if run.code == 1 and "diverged" not in run.err:
        return f"plan accepted, and run failed: {run.err[-300:]}"
    if run.code == 0:
        for row in json.loads(run.out):
            wrong = [k for k in ("final_error_pct", "lowest", "highest") if not 0 <= (row[k] or 0) <= 100]
            if wrong:
                return f"wrong number: {wrong} of {row}"
        if again := command([*words, "--dry-run"], folder).fault():
            return f"run again: {again}"
    return None


def cheap(study: dict[str, Any] | None, runs: list[Any]) -> bool:
    """Whether an accepted study takes seconds."""
    if study is None or len(runs) > RUNS:
        return False
    flat = study | study.get("supernet", {}) | study.get("training", {})
    return all(isinstance(flat.get(k), int) and flat[k] <= most for k, most in CHEAP.items())


def named() -> Iterator[Case]:
    """The values that once ended in a traceback or a hang, and their neighbors."""
    long, markup = "a" * 300, "[/red]"
    values: dict[str, dict[str, Any]] = {
        "betas 2 and 3": {"training__alpha_betas": [2, 3]},
        "betas nan": {"training__alpha_betas": [float("nan"), 0.9]},
        "betas negative": {"training__alpha_betas": [-0.5, 0.9]},
        "weight decay 1e300": {"training__weight_decay": 1e300},
        "alpha weight decay 1e300": {"training__alpha_weight_decay": 1e300},
        "learning rate 1e300": {"training__learning_rate": 1e300},
        "alpha rate 1e300": {"training__alpha_learning_rate": 1e300},
        "clip 1e-300": {"training__gradient_clip": 1e-300},
        "initial alpha 1e300": {"training__initial_alpha": 1e300},
        "learning rate inf": {"training__learning_rate": float("inf")},
        "learning rate nan": {"training__learning_rate": float("nan")},
        "rate below its end": {"training__learning_rate": 1e-3, "training__learning_rate_min": 1e30},
        "channels 10^23": {"supernet__channels": 10**23},
        "channels 10^6": {"supernet__channels": 10**6},
        "channels 20000": {"supernet__channels": 20000},
        "cells 10^8": {"supernet__cells": 10**8},
        "cells 3000": {"supernet__cells": 3000},
        "batch 10^9": {"training__batch_size": 10**9},
        "batch 10^30": {"training__batch_size": 10**30},
        "steps 10^30": {"training__steps_per_epoch": 10**30},
        "weight steps 10^30": {"training__weight_steps": 10**30},
        "epochs 10^30": {"epochs": 10**30},
        "pairs 10^12": {"dataset__evaluation_pairs": 10**12},
        "evaluation images 10^30": {"evaluation__images": 10**30},
        "evaluation every 10^30": {"evaluation__every": 10**30},
        "seeds twice": {"seeds": [0, 0]},
        "seeds true and 1": {"seeds": [True, 1]},
        "seeds false": {"seeds": [False]},
        "seed 2^70": {"seeds": [2**70]},
        "seed -1": {"seeds": [-1]},
        "seed 1.0": {"seeds": [1.0]},
        "seeds by the billion": {"seeds": "0..999999999999"},
        "seeds of 5000 digits": {"seeds": "9" * 5000},
        "seeds text": {"seeds": ["0"]},
        "data set 5": {"dataset": {"name": 5}},
        "data set a list": {"dataset": {"name": ["digits"]}},
        "data set a table": {"dataset": {"name": {"a": 1}}},
        "data set of a path": {"dataset": {"name": "npz", "path": "\0"}},
        "data set of a folder": {"dataset": {"name": "npz", "path": "/"}},
        "data set of a device": {"dataset": {"name": "npz", "path": "/dev/zero"}},
        "data set of a long path": {"dataset": {"name": "npz", "path": long * 2}},
        "label of 300 characters": {"methods": {long: {"method": "darts"}}},
        "label of markup": {"methods": {markup: {"method": "darts"}}},
        "label of two lines": {"methods": {"a\nb\x1b[31m": {"method": "darts"}}},
        "label empty": {"methods": {"": {"method": "darts"}}},
        "label of slashes": {"methods": {"../../a": {"method": "darts"}}},
        "labels alike in folders": {"methods": {"a b": {"method": "darts"}, "a/b": {"method": "darts"}}},
        "method 5": {"methods": {"a": {"method": 5}}},
        "method a list": {"methods": {"a": {"method": ["darts"]}}},
        "part 5": {"methods": {"darts": {"darts": 5}}},
        "part a list": {"methods": {"darts": {"darts": [1]}}},
        "methods 5": {"methods": 5},
        "methods long": {"methods": ["darts" + " + darts" * 3000]},
        "probes 5": {"probes": {"hessian": 5}},
        "probes unknown": {"probes": ["a" * 5000]},
        "name of 300 characters": {"name": long},
        "name ..": {"name": ".."},
        "name .": {"name": "."},
        "name of a newline": {"name": "a\n"},
        "space of 5000 characters": {"space": "a" * 5000},
        "table a path": {"table": "/"},
        "table of 5000 characters": {"table": "/" + "a" * 5000},
        "table of a zero": {"table": "a/\0"},
        "baseline unknown": {"comparison__baseline": "nobody"},
        "pairs of one": {"comparison__pairs": [["darts"]]},
        "rope nan": {"comparison__rope": float("nan")},
        "figures 5": {"figures": 5},
        "preset": {"preset": "a"},
    }
    for name, change in values.items():
        study = changed(**change)
        yield Case("studies", name, lambda f, s=study: attack(f, toml_file(s), s, terminal=True))
    texts = {
        "nested lists": "a = " + "[" * 20000 + "]" * 20000,
        "nested tables": "a = " + "{a = " * 20000 + "1" + "}" * 20000,
        "dotted keys": ".".join(["a"] * 20000) + " = 1",
        "nested a little": toml_file(SMALL) + "x = " + "[" * 200 + "]" * 200,
        "nested in a value": toml_file(SMALL | {"methods": {"darts": json.loads('{"a":' * 90 + "1" + "}" * 90)}}),
        "integer of 5000 digits": toml_file(SMALL).replace('"epochs" = 0x1', "epochs = " + "9" * 5000),
        "integer of 4000 digits": toml_file(SMALL).replace('"epochs" = 0x1', "epochs = " + "9" * 4000),
        "hexadecimal of 5000 digits": toml_file(SMALL).replace('"epochs" = 0x1', "epochs = 0x" + "9" * 5000),
        "date of a bad year": toml_file(SMALL) + "x = 9999-99-99",
        "empty": "",
        "bytes of no text": "\x00\x01",
        "one key": "name",
        "long line": toml_file(SMALL) + "x = '" + "a" * 1_000_000 + "'",
    }
    for name, text in texts.items():
        yield Case("studies", name, lambda f, t=text: attack(f, t))
    for side, count in ((2, 64), (1, 64), (8, 2), (8, 4), (4, 64), (3, 64), (8, 10)):
        yield Case("studies", f"{count} images of {side} x {side}", lambda f, s=side, c=count: of_images(f, s, c))
    yield Case("studies", "a setting nested", lambda f: of_setting(f, "a." * 3000 + "b=1"))
    yield Case("studies", "a setting of 5000 digits", lambda f: of_setting(f, "epochs=" + "9" * 5000))
    yield Case("studies", "a setting of nested lists", lambda f: of_setting(f, "x=" + "[" * 9000))
    yield Case("studies", "a setting below a list", lambda f: of_setting(f, "seeds.a=1"))


def of_images(folder: Path, side: int, count: int) -> str | None:
    study = changed(dataset={"name": "npz", "path": images(folder, side, count)}, training__batch_size=2)
    return attack(folder, toml_file(study), study)


def of_setting(folder: Path, setting: str) -> str | None:
    (folder / "study.toml").write_text(toml_file(SMALL))
    return command(["plan", folder / "study.toml", "--set", setting], folder).fault()


EVIL: list[Any] = [
    0, 1, 2, 3, 4, 5, -1, 7, 1.5, -0.5, 0.0, 1e-9, 0.3, 1.0, 1e9, 1e38, 1e300, float("nan"), float("inf"), 10**9, 2**63,
    10**23, True, False, "", "darts", "a" * 300, "[/red]", "\n", "../x", "0..3", "0,0", "nan", [], [0], [0, 0], [0, 1],
    [True, 1], [1.5], [[0]], [0.5, 0.9], [2, 3], [0.1, 0.2, 0.3], {}, {"name": "digits"}, {"a": 1}, {"a": {"b": []}},
]  # fmt: skip
METHODS = [
    "darts", "darts+sdarts-rs", "sdarts-rs", "sdarts-adv", "pc-darts", "gdas", "drnas", "random-search", "beta-darts",
    "darts-minus", "random-nas", "darts+pc-darts", "darts+darts", "random-search+sdarts-rs", "fairdarts", "snas",
]  # fmt: skip
PLACES = [
    "name", "space", "dataset", "dataset.name", "dataset.evaluation_pairs", "table", "methods", "methods.darts",
    "methods.x.method", "seeds", "epochs", "preset", "supernet", "supernet.channels", "supernet.cells",
    "supernet.implementation", "training", "training.batch_size", "training.steps_per_epoch", "training.order",
    "training.sampling", "training.learning_rate", "training.learning_rate_min", "training.momentum",
    "training.nesterov", "training.weight_decay", "training.gradient_clip", "training.alpha_learning_rate",
    "training.alpha_betas", "training.alpha_weight_decay", "training.precision", "training.initial_alpha",
    "training.weight_steps", "evaluation", "evaluation.images", "evaluation.every", "probes", "comparison",
    "comparison.endpoint", "comparison.baseline", "comparison.level", "comparison.rope", "comparison.pairs", "figures",
    "unknown", "training.unknown",
]  # fmt: skip


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The small study with one to three hostile values, or another method."""
    study = copy.deepcopy(SMALL)
    if draw(st.booleans()):
        study["methods"] = [draw(st.sampled_from(METHODS))]
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(PLACES)).split(".")
        hostile = st.one_of(st.sampled_from(EVIL), st.integers(), st.floats(), st.text(max_size=40))
        put(study, path, draw(hostile))
    return study


def fuzzed(study: dict[str, Any]) -> Case:
    return Case("studies", repr(study), lambda f: attack(f, toml_file(study), study))
