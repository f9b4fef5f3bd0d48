"""How far published finite differences are from the exact derivative, over a search.

    python benchmarks/comparisons/finite_differences.py STUDY FILE.csv [--set KEY=VALUE ..] [--after 0,1,4,12]
    python benchmarks/comparisons/finite_differences.py --draw FILE.csv .. FIGURE.png

The study's DARTS search (its first seed) is run; at its beginning and after the epochs `--after`, the term that each
method adds by central differences is computed on the next two minibatches at several distances, in float32 and in
float64. It is compared with the same term by double differentiation of the readable network in float64. The state is
that of the DARTS search for all methods. A row of FILE.csv: after, method, precision, distance, published (whether it
is the method's own distance), error (Euclidean, relative to the exact term), cosine (with it), size (of the exact
term), gradient (what it is added to, Euclidean norm), weight (the factor it has there).
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from harness.measures.alignment import copy_for_each_cell, differentiate_by_cell, put_in
from harness.measures.hessian import flatten_tensors
from harness.runs.run import start
from harness.runs.study import load_study
from harness.search.loop import SupernetSearch
from harness.search.regularizers.layer_alignment import LayerAlignment, count_aligned_cells, differentiate_agreement
from harness.search.searchers.a2m import A2M
from harness.search.searchers.amended import AmendedDARTS
from harness.search.searchers.base import SoftmaxSearcher
from harness.search.searchers.darts import DARTS
from harness.search.searchers.idarts import IDARTS
from harness.search.searchers.products import differentiate_along_weights
from harness.search.steps import ArchitectureStep, WeightStep, compute_cross_entropy
from harness.spaces.blocks.mix import keep_buffers

FACTORS = (10.0, 1.0, 0.1, 0.01, 1e-3, 1e-4, 1e-5, 1e-6)
"""Distances are these times the published one."""


class Terms:
    """The terms of one state on two minibatches, in one precision. All are flat rows [entries]."""

    def __init__(self, search: SupernetSearch, step: ArchitectureStep) -> None:
        self.search, self.step, self.net = search, step, step.net
        self.relax = search.searcher.relax
        self.validation = self.validation_gradients([*step.alphas, *step.weights])
        self.vector = self.validation[len(step.alphas) :]

    def validation_gradients(self, wanted: Sequence[Tensor]) -> list[Tensor]:
        searcher = self.search.searcher
        assert isinstance(searcher, SoftmaxSearcher)
        with keep_buffers(self.net):
            return searcher.validation_gradients(self.step, wanted)

    # -- by central differences, as the methods compute them ---------------------------------------------------

    def second_order(self, distance: float) -> Tensor:
        with keep_buffers(self.net):
            return flatten_tensors(DARTS(order=2, distance=distance).unrolled(self.step).implicit)

    def amended(self, distance: float) -> Tensor:
        curved = differentiate_along_weights(self.step, self.relax, self.vector, self.step.weights, distance)
        return flatten_tensors(differentiate_along_weights(self.step, self.relax, curved, self.step.alphas, distance))

    def idarts(self, distance: float) -> Tensor:
        searcher = IDARTS(products="differences", distance=distance)
        with keep_buffers(self.net), self.net.readable():
            series, _ = searcher._through_series(self.step, self.step.weights, self.vector)
        return flatten_tensors(searcher._by_differences(self.step, self.step.weights, self.vector, series))

    def layer_alignment(self, distance: float) -> Tensor:
        zeros: list[Tensor | None] = [torch.zeros_like(w) for w in self.step.weights]
        part = LayerAlignment(strength=1.0, distance=distance)
        found = part.weight_gradients(zeros, self.mix(), self.weight_step())
        return flatten_tensors([g for g in found if g is not None])

    def a2m(self, distance: float) -> Tensor:
        along = self.validation[: len(self.step.alphas)]
        sides = []
        for sign in (1, -1):
            A2M._shift(self.step, list(along), sign * distance)
            sides.append(flatten_tensors(self.validation_gradients(self.step.alphas)))
            A2M._shift(self.step, list(along), -sign * distance)
        return (sides[0] - sides[1]) / (2 * distance)

    # -- by double differentiation -----------------------------------------------------------------------------

    def exact(self) -> dict[str, Tensor]:
        with self.net.readable(), keep_buffers(self.net):
            return {
                "darts-2nd": self.exact_second_order(),
                "amended-darts": self.exact_amended(),
                "idarts": self.exact_idarts(),
                "lambda-darts": self.exact_layer_alignment(),
                "a2m": self.exact_a2m(),
            }

    def slopes(self) -> tuple[Tensor, ...]:
        """The gradient of the training loss over the weights, differentiable again."""
        loss = self.step.loss(self.net, self.relax(self.step.alphas), self.step.train)
        return torch.autograd.grad(loss, self.step.weights, create_graph=True)

    def exact_second_order(self) -> Tensor:
        with keep_buffers(self.net):
            vector = DARTS(order=2).unrolled(self.step).vector
        return flatten_tensors(torch.autograd.grad(self.slopes(), self.step.alphas, vector))

    def exact_amended(self) -> Tensor:
        slopes = self.slopes()
        curved = torch.autograd.grad(slopes, self.step.weights, self.vector, retain_graph=True)
        return flatten_tensors(torch.autograd.grad(slopes, self.step.alphas, curved))

    def exact_idarts(self) -> Tensor:
        return flatten_tensors(IDARTS(products="exact")._through_series(self.step, self.step.weights, self.vector)[1])

    def exact_layer_alignment(self) -> Tensor:
        mix, cells = self.mix(), count_aligned_cells(self.net, self.search.space)
        own = copy_for_each_cell(mix, cells)
        towards = differentiate_agreement(differentiate_by_cell(self.weight_step().loss, mix, own))
        loss = self.weight_step().loss(put_in(mix, own))
        slopes = torch.autograd.grad(loss, [own[i] for i in towards], create_graph=True)
        return -flatten_tensors(torch.autograd.grad(slopes, self.step.weights, list(towards.values())))

    def exact_a2m(self) -> Tensor:
        step = self.step
        loss = step.loss(self.net, self.relax(step.alphas), step.valid)
        slopes = torch.autograd.grad(loss, step.alphas, create_graph=True)
        return flatten_tensors(torch.autograd.grad(slopes, step.alphas, self.validation[: len(step.alphas)]))

    # -- what they need ----------------------------------------------------------------------------------------

    def mix(self) -> list[Tensor]:
        return [m.detach() for m in self.relax(self.step.alphas)]

    def weight_step(self) -> WeightStep:
        """The weight step of the last epoch, in which Lambda-DARTS' strength is all there."""
        net, train, moment = self.net, self.step.train, self.step.moment
        return WeightStep(
            net=net,
            loss=lambda m: compute_cross_entropy(net, m, train),
            valid_loss=lambda m: compute_cross_entropy(net, m, self.step.valid),
            frozen_loss=lambda: lambda m: compute_cross_entropy(net, m, train),
            memory={},
            moment=replace(moment, epoch=moment.epochs - 1),
        )

    def beside(self) -> dict[str, tuple[float, float]]:
        """The norm of the gradient that each term is added to, and the factor it has there, by the published code."""
        alphas = float(flatten_tensors(self.validation[: len(self.step.alphas)]).norm())
        training = float(
            flatten_tensors(torch.autograd.grad(self.weight_step().loss(self.mix()), self.step.weights)).norm()
        )
        rate = self.step.learning_rate
        return {
            "darts-2nd": (alphas, rate),
            "amended-darts": (alphas, AmendedDARTS().eta),
            "idarts": (alphas, rate),
            "lambda-darts": (training, LayerAlignment().strength),
            "a2m": (alphas, A2M().rho),
        }


METHODS: dict[str, tuple[Callable[[Terms, float], Tensor], float]] = {
    "darts-2nd": (Terms.second_order, DARTS().distance),
    "amended-darts": (Terms.amended, AmendedDARTS().distance),
    "idarts": (Terms.idarts, IDARTS().distance),
    "lambda-darts": (Terms.layer_alignment, LayerAlignment().distance),
    "a2m": (Terms.a2m, A2M().epsilon),
}
"""What computes a method's term at a distance, and its published one (A2M's is a factor of the gradient)."""


def in_precision(search: SupernetSearch, step: ArchitectureStep, dtype: torch.dtype) -> Terms:
    """The terms of copies of the network, logits, momentum and batches, so that the search itself stays as it is."""
    net = copy.deepcopy(step.net).to(dtype)
    alphas = [a.detach().clone().to(dtype).requires_grad_() for a in step.alphas]
    images, labels = step.train
    beside, classes = step.valid
    return Terms(
        search,
        replace(
            step,
            net=net,
            alphas=alphas,
            weights=list(net.parameters()),
            train=(images.to(dtype), labels),
            valid=(beside.to(dtype), classes),
            momentum_buffers=[None if b is None else b.to(dtype) for b in step.momentum_buffers],
            penalty=lambda alphas: None,
        ),
    )


def compare(search: SupernetSearch, after: int) -> Iterator[dict[str, Any]]:
    """The rows of one state."""
    search.net.train()
    epoch = min(after, search.epochs - 1)
    rate = search.training.rate(epoch, search.epochs)
    search.feed.begin_epoch()
    step = search.architecture_step_of(*search.batches(epoch), epoch, rate)
    wide = in_precision(search, step, torch.float64)
    exact, beside = wide.exact(), wide.beside()
    for terms, precision in ((wide, "float64"), (in_precision(search, step, torch.float32), "float32")):
        for method, (term, published) in METHODS.items():
            true = exact[method]
            for factor in FACTORS:
                found = term(terms, factor * published).to(torch.float64)
                yield {
                    "after": after,
                    "method": method,
                    "precision": precision,
                    "distance": factor * published,
                    "published": factor == 1.0,
                    "error": float((found - true).norm() / true.norm()),
                    "cosine": float(torch.nn.functional.cosine_similarity(found, true, dim=0)),
                    "size": float(true.norm()),
                    "gradient": beside[method][0],
                    "weight": beside[method][1],
                }


def measure(study: Path, changes: list[str], after: list[int], file: Path) -> None:
    """Write the rows of a study's DARTS search, state by state."""
    run = next(r for r in load_study(study, changes).runs if r.method_name == "darts")
    search = start(run, torch.device("cpu"))
    assert isinstance(search, SupernetSearch)
    rows: list[dict[str, Any]] = []
    for epoch in range(max(after) + 1):
        if epoch in after:
            kept = search.state_dict()
            rows += compare(search, epoch)
            search.load_state_dict(kept)
            pd.DataFrame(rows).to_csv(file, index=False)
            print(
                pd.DataFrame(rows[-len(FACTORS) * 2 * len(METHODS) :]).query("published")[
                    ["after", "method", "precision", "error", "cosine"]
                ]
            )
        if epoch < max(after):
            search.train_epoch(epoch, lambda: None)


def draw(files: list[Path], figure: Path) -> None:
    """Error against the distance, a row of panels a file, a panel a method; the published distance is marked."""
    import matplotlib.pyplot as plt

    fig, axes = plt.subplots(
        len(files), len(METHODS), figsize=(2.6 * len(METHODS), 2.3 * len(files)), sharex="col", sharey=True,
        squeeze=False, layout="constrained",
    )  # fmt: skip
    for row, file in zip(axes, files, strict=True):
        found = pd.read_csv(file)
        for axis, method in zip(row, METHODS, strict=True):
            own = found[found["method"] == method]
            for (precision, after), line in own.groupby(["precision", "after"]):
                share = (after - own["after"].min()) / max(1, own["after"].max() - own["after"].min())
                axis.plot(
                    line["distance"], line["error"], color="C0" if precision == "float64" else "C1",
                    alpha=0.35 + 0.65 * share, marker=".", label=f"{precision}, after epoch {after}",
                )  # fmt: skip
            axis.axvline(METHODS[method][1], color="0.5", linestyle=":", zorder=0)
            axis.axhline(1.0, color="0.85", zorder=0)
            axis.set(xscale="log", yscale="log")
        row[0].set_ylabel(f"{file.stem.removeprefix('finite-differences-')}\nerror / exact term")
        row[-1].legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1.02, 0.5))
    for method, top, bottom in zip(METHODS, axes[0], axes[-1], strict=True):
        top.set_title(method)
        bottom.set_xlabel("distance")
    fig.savefig(figure, dpi=110)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="+", type=Path)
    parser.add_argument("--set", dest="changes", action="append", default=[])
    parser.add_argument("--after", default="0,1,4,12")
    parser.add_argument("--draw", action="store_true")
    told = parser.parse_args()
    if told.draw:
        draw(told.paths[:-1], told.paths[-1])
    else:
        study, file = told.paths
        torch.set_num_threads(1)
        measure(study, told.changes, [int(e) for e in told.after.split(",")], file)
