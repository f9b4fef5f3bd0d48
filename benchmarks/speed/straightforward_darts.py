"""DARTS' one-shot network as one would write it from the paper: what `straightforward.py` is to the tabular spaces."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from straightforward import MixedOp, Zero
from torch import Tensor, nn
from torch.nn import functional as F


def norm(channels: int) -> nn.Module:
    return nn.BatchNorm2d(channels, affine=False)


def relu_conv_bn(cin: int, cout: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(cin, cout, 1, bias=False), norm(cout))


class Halving(nn.Module):
    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(cin, cout // 2, 1, stride=2, bias=False)
        self.second = nn.Conv2d(cin, cout // 2, 1, stride=2, bias=False)
        self.bn = norm(cout)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(x)
        y: Tensor = self.bn(torch.cat([self.first(x), self.second(x[:, :, 1:, 1:])], dim=1))
        return y


def conv(channels: int, kernel: int, stride: int, dilation: int) -> list[nn.Module]:
    padding = dilation * (kernel // 2)
    depthwise = nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False)
    return [nn.ReLU(), depthwise, nn.Conv2d(channels, channels, 1, bias=False), norm(channels)]


def operation(name: str, channels: int, stride: int) -> nn.Module:
    if name == "none":
        return Zero()
    if name == "skip_connect":
        return nn.Identity() if stride == 1 else Halving(channels, channels)
    if name == "max_pool_3x3":
        return nn.Sequential(nn.MaxPool2d(3, stride, 1), norm(channels))
    if name == "avg_pool_3x3":
        return nn.Sequential(nn.AvgPool2d(3, stride, 1, count_include_pad=False), norm(channels))
    kind, side = name.split("_", maxsplit=1)[0], int(name[-1])
    if kind == "dil":
        return nn.Sequential(*conv(channels, side, stride, 2))
    return nn.Sequential(*conv(channels, side, stride, 1), *conv(channels, side, 1, 1))


class Cell(nn.Module):
    def __init__(
        self, names: Sequence[Sequence[str]], inputs: tuple[int, int], channels: int, *, reduction: bool, halves: bool
    ) -> None:
        super().__init__()
        first = Halving if halves else relu_conv_bn
        self.before, self.last = first(inputs[0], channels), relu_conv_bn(inputs[1], channels)
        sources = [source for node in range(2, 6) for source in range(node)]
        self.edges = nn.ModuleList(
            MixedOp([operation(name, channels, 2 if reduction and source < 2 else 1) for name in options])
            for options, source in zip(names, sources, strict=True)
        )

    def forward(self, before: Tensor, last: Tensor, mix: Tensor) -> Tensor:
        nodes, edge = [self.before(before), self.last(last)], 0
        for node in range(2, 6):
            nodes.append(sum(self.edges[edge + s](nodes[s], mix[edge + s]) for s in range(node)))  # type: ignore[arg-type]
            edge += node
        return torch.cat(nodes[2:], dim=1)


class SupernetDARTS(nn.Module):
    """options: the operations of each edge of a normal and of a reduction cell."""

    def __init__(self, options: Sequence[Sequence[Sequence[str]]], *, channels: int, cells: int, classes: int) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 3 * channels, 3, padding=1, bias=False), nn.BatchNorm2d(3 * channels))
        self.reductions = {cells // 3, 2 * cells // 3}
        inputs, width = (3 * channels, 3 * channels), channels
        self.cells = nn.ModuleList()
        for index in range(cells):
            reduction = index in self.reductions
            width = 2 * width if reduction else width
            halves = index - 1 in self.reductions
            self.cells.append(Cell(options[reduction], inputs, width, reduction=reduction, halves=halves))
            inputs = inputs[1], 4 * width
        self.classifier = nn.Linear(4 * width, classes)

    def forward(self, x: Tensor, mix: Sequence[Tensor]) -> Tensor:
        before = last = self.stem(x)
        for index, cell in enumerate(self.cells):
            before, last = last, cell(before, last, mix[index in self.reductions])
        logits: Tensor = self.classifier(last.mean((2, 3)))
        return logits
