"""The operations of DARTS' cells (Liu et al. 2019, section 3.1; Zela et al. 2020 for noise), as modules.

channels: in and out. stride: 1, or 2 on the edges that leave the inputs of a reduction cell. affine: whether batch norm
has scales and shifts; as published it has none in a search, and has them when a derived network is trained.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from harness.spaces.blocks.supernet import ReluConvBn, Skip


class Zero(nn.Module):
    """The operation that gives nothing: zeros of the output's shape."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x[:, :, :: self.stride, :: self.stride])


class NoiseOperation(nn.Module):
    """N(0, 1) of the output's shape, whatever the input; drawn by `Supernet.draw`, which it is handed."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor, draw: Callable[[Callable[[torch.Generator], Tensor]], Tensor]) -> Tensor:
        shape = x[:, :, :: self.stride, :: self.stride].shape
        return draw(lambda g: torch.randn(shape, generator=g, dtype=x.dtype))


class FactorizedReduction(nn.Module):
    """ReLU, two 1x1 convolutions of stride 2 side by side, the second of the pixels beside the first's, batch norm.

    Every second pixel is taken first, and convolved with stride 1: PyTorch's convolution of stride 2 to one channel
    writes outside of its memory on a CPU (2.13, channels-last).
    """

    def __init__(self, cin: int, cout: int, *, affine: bool) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.conv_1 = nn.Conv2d(cin, cout // 2, 1, bias=False)
        self.conv_2 = nn.Conv2d(cin, cout // 2, 1, bias=False)
        self.bn = nn.BatchNorm2d(cout, affine=affine)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(self.convolved(self.relu(x)))
        return y

    def convolved(self, x: Tensor) -> Tensor:
        """Both convolutions, of ReLU's output."""
        return torch.cat([self.conv_1(x[:, :, ::2, ::2]), self.conv_2(x[:, :, 1::2, 1::2])], dim=1)


def build_convolution(channels: int, kernel: int, stride: int, dilation: int, *, affine: bool) -> list[nn.Module]:
    """ReLU, depthwise convolution, 1x1 convolution, batch norm."""
    padding = dilation * (kernel - 1) // 2
    return [
        nn.ReLU(),
        nn.Conv2d(channels, channels, kernel, stride, padding, dilation, groups=channels, bias=False),
        nn.Conv2d(channels, channels, 1, bias=False),
        nn.BatchNorm2d(channels, affine=affine),
    ]


def build_dilated(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Module:
    return nn.Sequential(*build_convolution(channels, kernel, stride, 2, affine=affine))


def build_separable(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Module:
    """Twice the same; the stride is in the first."""
    first, second = (build_convolution(channels, kernel, s, 1, affine=affine) for s in (stride, 1))
    return nn.Sequential(*first, *second)


def build_plain(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Module:
    """ReLU, a whole convolution, batch norm."""
    return ReluConvBn(channels, channels, kernel, stride=stride, affine=affine)


def build_row_and_column(channels: int, kernel: int, stride: int, *, affine: bool) -> nn.Module:
    """ReLU, a convolution along rows, one along columns, batch norm."""
    half = kernel // 2
    return nn.Sequential(
        OrderedDict(
            relu=nn.ReLU(),
            along_row=nn.Conv2d(channels, channels, (1, kernel), (1, stride), (0, half), bias=False),
            along_column=nn.Conv2d(channels, channels, (kernel, 1), (stride, 1), (half, 0), bias=False),
            norm=nn.BatchNorm2d(channels, affine=affine),
        )
    )


def skip(channels: int, stride: int, *, affine: bool) -> nn.Module:
    return nn.Identity() if stride == 1 else FactorizedReduction(channels, channels, affine=affine)


def build_max_pool(stride: int, kernel: int = 3) -> nn.Module:
    return nn.MaxPool2d(kernel, stride=stride, padding=kernel // 2)


def average_pool(stride: int) -> nn.Module:
    """Over the pixels inside the image."""
    return nn.AvgPool2d(3, stride=stride, padding=1, count_include_pad=False)


POOLS: dict[str, Callable[[int], nn.Module]] = {
    "max_pool_3x3": build_max_pool,
    "avg_pool_3x3": average_pool,
    "max_pool_5x5": partial(build_max_pool, kernel=5),
    "max_pool_7x7": partial(build_max_pool, kernel=7),
}
CONVOLUTIONS = {
    "sep_conv_3x3": (build_separable, 3),
    "sep_conv_5x5": (build_separable, 5),
    "dil_conv_3x3": (build_dilated, 3),
    "dil_conv_5x5": (build_dilated, 5),
    # as NASP's code calls them
    "sep_3x3": (build_separable, 3),
    "sep_5x5": (build_separable, 5),
    "sep_7x7": (build_separable, 7),
    "conv 1x1": (build_plain, 1),
    "conv 3x3": (build_plain, 3),
    "conv_3x1_1x3": (build_row_and_column, 3),
}


def build_operation(name: str, channels: int, stride: int, *, affine: bool) -> nn.Module:
    """The operation of a name, without the batch norm that follows a pooling in a search."""
    if name in CONVOLUTIONS:
        make, kernel = CONVOLUTIONS[name]
        return make(channels, kernel, stride, affine=affine)
    if name in POOLS:
        return POOLS[name](stride)
    if name == "skip_connect":
        return skip(channels, stride, affine=affine)
    return {"none": Zero, "noise": NoiseOperation}[name](stride)


def build_mixed_operation(name: str, channels: int, stride: int) -> nn.Module:
    """The operation of a name as a search has it: batch norm without scales and shifts, also after every pooling."""
    if name == "skip_connect" and stride == 1:
        return Skip()
    found = build_operation(name, channels, stride, affine=False)
    return nn.Sequential(found, nn.BatchNorm2d(channels, affine=False)) if name in POOLS else found


def build_preprocessing(cin: int, channels: int, *, halves: bool, affine: bool) -> nn.Module:
    """What an input of a cell goes through first. halves: it is twice as high and wide as the cell before put out."""
    if halves:
        return FactorizedReduction(cin, channels, affine=affine)
    return ReluConvBn(cin, channels, 1, affine=affine)
