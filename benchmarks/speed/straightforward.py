"""The searches as one would write them from the papers: one module an operation, every gradient computed.

Nothing here is taken from the harness or made fast: contiguous tensors, `loss.backward()` for the weights and the
architecture alike, mixed operations as a sum over modules. It is what the harness is measured against, and that both
compute the same is tested (`tests/spaces/test_straightforward.py`). Parameters are made in the order of the harness's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Zero(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 0.0


def relu_conv_bn(cin: int, cout: int, kernel: int, stride: int = 1, affine: bool = True) -> nn.Module:
    conv = nn.Conv2d(cin, cout, kernel, stride=stride, padding=kernel // 2, bias=False)
    return nn.Sequential(nn.ReLU(), conv, nn.BatchNorm2d(cout, affine=affine))


def conv_bn_relu(cin: int, cout: int, kernel: int) -> nn.Module:
    conv = nn.Conv2d(cin, cout, kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(cout), nn.ReLU())


class MixedOp(nn.Module):
    def __init__(self, operations: Sequence[nn.Module]) -> None:
        super().__init__()
        self.operations = nn.ModuleList(operations)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        return sum(w * operation(x) for w, operation in zip(weights, self.operations, strict=True))  # type: ignore[return-value]


class Cell201(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.edges = nn.ModuleList(
            MixedOp(
                [
                    Zero(),
                    nn.Identity(),
                    relu_conv_bn(channels, channels, 1, affine=False),
                    relu_conv_bn(channels, channels, 3, affine=False),
                    nn.AvgPool2d(3, stride=1, padding=1, count_include_pad=False),
                ]
            )
            for _ in range(6)
        )

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        nodes = [x]
        edge = 0
        for target in (1, 2, 3):
            total: Tensor | int = 0
            for source in range(target):
                total = total + self.edges[edge](nodes[source], mix[edge])
                edge += 1
            nodes.append(total)  # type: ignore[arg-type]
        return nodes[3]


class Reduction(nn.Module):
    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.a = relu_conv_bn(cin, cout, 3, stride=2)
        self.b = relu_conv_bn(cout, cout, 3)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, stride=2), nn.Conv2d(cin, cout, 1, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.b(self.a(x))


class Supernet201(nn.Module):
    def __init__(self, *, channels: int, cells: int, classes: int = 10, image_channels: int = 3) -> None:
        super().__init__()
        stem = nn.Conv2d(image_channels, channels, 3, padding=1, bias=False)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(channels))
        self.layers = nn.ModuleList()
        for stage in range(3):
            width = channels * 2**stage
            if stage:
                self.layers.append(Reduction(width // 2, width))
            self.layers.extend(Cell201(width) for _ in range(cells))
        self.last = nn.Sequential(nn.BatchNorm2d(width), nn.ReLU())
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor, mix: Sequence[Tensor]) -> Tensor:
        x = self.stem(x)
        for layer in self.layers:
            x = layer(x, mix[0]) if isinstance(layer, Cell201) else layer(x)
        logits: Tensor = self.classifier(self.last(x).mean((2, 3)))
        return logits


class Cell1Shot1(nn.Module):
    def __init__(self, cin: int, channels: int, nodes: int, choosing: Sequence[int]) -> None:
        super().__init__()
        self.choosing = choosing
        self.blocks = nn.ModuleList(
            MixedOp(
                [
                    nn.MaxPool2d(3, stride=1, padding=1),
                    conv_bn_relu(channels, channels, 3),
                    conv_bn_relu(channels, channels, 1),
                ]
            )
            for _ in range(nodes)
        )
        self.projections = nn.ModuleList(conv_bn_relu(cin, channels, 1) for _ in range(nodes))
        self.projections.append(conv_bn_relu(cin, channels * nodes, 1))

    def forward(self, x: Tensor, mix: Sequence[Tensor]) -> Tensor:
        operations, output, *parents = mix
        states: list[Tensor] = []
        for node, block in enumerate(self.blocks):
            candidates = [self.projections[node](x), *states]
            if node + 1 in self.choosing:
                weights = parents[self.choosing.index(node + 1)][0]
                candidates = [w * c for w, c in zip(weights, candidates, strict=True)]
            states.append(block(sum(candidates), operations[node]))
        kept = torch.cat([w * s for w, s in zip(output[0, 1:], states, strict=True)], dim=1)
        y: Tensor = output[0, 0] * self.projections[-1](x) + kept
        return y


class Supernet1Shot1(nn.Module):
    """choosing: the nodes whose parents are chosen, the output left out."""

    def __init__(
        self,
        *,
        channels: int,
        cells: int,
        nodes: int,
        choosing: Sequence[int],
        classes: int = 10,
        image_channels: int = 3,
    ) -> None:
        super().__init__()
        self.stem = conv_bn_relu(image_channels, channels, 3)
        self.pool = nn.MaxPool2d(2, stride=2)
        self.reductions = {cells // 3, 2 * cells // 3}
        self.cells = nn.ModuleList()
        width, cin = channels, channels
        for index in range(cells):
            width = 2 * width if index in self.reductions else width
            self.cells.append(Cell1Shot1(cin, width, nodes, choosing))
            cin = width * nodes
        self.last = nn.Sequential(nn.ReLU(), nn.Conv2d(cin, width, 1, bias=False), nn.BatchNorm2d(width, affine=False))
        self.classifier = nn.Linear(width, classes)

    def forward(self, x: Tensor, mix: Sequence[Tensor]) -> Tensor:
        x = self.stem(x)
        for index, cell in enumerate(self.cells):
            x = cell(self.pool(x) if index in self.reductions else x, mix)
        logits: Tensor = self.classifier(self.last(x).mean((2, 3)))
        return logits


def onto_simplex(rows: Tensor) -> Tensor:
    rows = rows.clamp(0, 1)
    return rows / rows.sum(dim=-1, keepdim=True)


class Search:
    """DARTS (first order), SDARTS-RS and SDARTS-ADV: a step on a training and a validation batch."""

    def __init__(self, net: nn.Module, alphas: Sequence[Tensor], method: str, epsilon: float = 0.1) -> None:
        self.net, self.method, self.epsilon = net, method, epsilon
        self.alphas = [nn.Parameter(a.clone()) for a in alphas]
        self.weights = torch.optim.SGD(net.parameters(), lr=0.025, momentum=0.9, weight_decay=3e-4)
        self.architecture = torch.optim.Adam(self.alphas, lr=3e-4, betas=(0.5, 0.999), weight_decay=1e-3)
        self.clip = 5.0

    def loss(self, x: Any, y: Tensor, mix: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """That of a batch, and what a weight step descends."""
        loss = F.cross_entropy(self.net(x, mix), y)
        return loss, loss

    def mix(self) -> list[Tensor]:
        return [a.softmax(dim=-1) for a in self.alphas]

    def step(self, train: tuple[Any, Tensor], valid: tuple[Any, Tensor]) -> float:
        self.net.train()
        self.architecture.zero_grad()
        F.cross_entropy(self.net(valid[0], self.mix()), valid[1]).backward()
        self.architecture.step()
        mix = self.mix()
        if self.method == "sdarts-rs":
            mix = [onto_simplex(m + torch.empty_like(m).uniform_(-self.epsilon, self.epsilon)) for m in mix]
        if self.method == "sdarts-adv":
            mix = self.attack(mix, *train)
        self.weights.zero_grad()
        loss, descended = self.loss(*train, mix)
        descended.backward()
        nn.utils.clip_grad_norm_(self.net.parameters(), self.clip)
        self.weights.step()
        return loss.item()

    def hessian(self, x: Tensor, y: Tensor) -> Tensor:
        """Of the loss over all logits, row by row."""
        loss = F.cross_entropy(self.net(x, self.mix()), y)
        slopes = torch.autograd.grad(loss, self.alphas, create_graph=True)
        rows = []
        for slope in torch.cat([s.flatten() for s in slopes]):
            row = torch.autograd.grad(slope, self.alphas, retain_graph=True)
            rows.append(torch.cat([r.flatten() for r in row]))
        return torch.stack(rows)

    def attack(self, mix: list[Tensor], x: Any, y: Tensor, steps: int = 7) -> list[Tensor]:
        """Seven steps up the training loss inside the ball from its center, batch norm in eval mode."""
        self.net.eval()
        mix = [m.detach() for m in mix]
        before = F.cross_entropy(self.net(x, mix), y)
        points = mix
        for _ in range(steps):
            points = [p.detach().requires_grad_() for p in points]
            self.net.zero_grad()
            F.cross_entropy(self.net(x, points), y).backward()
            size = 2 * self.epsilon / steps
            moved = [p.detach() + size * p.grad.sign() for p in points]  # type: ignore[union-attr]
            points = [
                onto_simplex(m + (q - m).clamp(-self.epsilon, self.epsilon)) for m, q in zip(mix, moved, strict=True)
            ]
        after = F.cross_entropy(self.net(x, points), y)
        self.net.train()
        return mix if bool(after < before) else points
