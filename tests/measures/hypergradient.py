"""How far a searcher's architecture gradient is from the exact one, on problems small enough to solve."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.measures.hessian import differentiate_vector, flatten_tensors
from harness.search.searchers.base import ArchitectureStep, SupernetSearcher


def exact_hypergradient(step: ArchitectureStep, searcher: SupernetSearcher, *, damping: float = 0.0) -> Tensor:
    """dL_valid/dalpha - d^2 L_train/(dalpha dw) (H + damping I)^-1 dL_valid/dw, all logits in one row: [n].

    H = d^2 L_train/dw^2, formed and solved: for networks of up to a few thousand weights. It is the true gradient of
    the bilevel problem where w minimizes L_train and H is positive definite (implicit function theorem); elsewhere it
    is what approximations of it stand for. damping: for Hessians that are singular, as batch norm makes them.
    """
    weights, alphas = step.weights, step.alphas
    loss = step.loss(step.net, searcher.relax(alphas), step.valid)
    gradients = torch.autograd.grad(loss, [*alphas, *weights], materialize_grads=True)
    direct, slope = flatten_tensors(gradients[: len(alphas)]), flatten_tensors(gradients[len(alphas) :])
    train = step.loss(step.net, searcher.relax(alphas), step.train)
    inner = flatten_tensors(torch.autograd.grad(train, weights, create_graph=True, materialize_grads=True))
    curvature = differentiate_vector(inner, weights)
    identity = torch.eye(len(curvature), dtype=curvature.dtype, device=curvature.device)
    solved = torch.linalg.solve(curvature + damping * identity, slope)
    mixed = torch.autograd.grad(inner, alphas, solved, materialize_grads=True)
    return direct - flatten_tensors(mixed)


def cosine(first: Tensor, second: Tensor) -> float:
    """Cosine of the angle between two vectors; NaN where one is zero."""
    size = first.norm() * second.norm()
    return float(first @ second / size) if size > 0 else float("nan")
