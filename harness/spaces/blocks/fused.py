"""Batch norm and convolutions of several operations at once: what the fast supernets are built from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_weights

from harness.spaces.blocks.supernet import Supernet


class Fast(Supernet):
    """A supernet that computes otherwise than it reads, except in `readable`."""

    as_read: bool = False

    @property
    def reads(self) -> bool:
        """Whether it is computed one module an operation now."""
        return self.as_read or self.evaluates != "all"

    @contextmanager
    def readable(self) -> Iterator[None]:
        self.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.as_read = True
        try:
            yield
        finally:
            self.as_read = False
            self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


class BatchNorms:
    """Batch norm of operations whose channels lie side by side in one tensor, in one call; in train mode `store` then
    brings the running statistics of all of them up to date, as their modules would have done one by one."""

    def __init__(self) -> None:
        self.norms: list[nn.BatchNorm2d] = []
        self.means: list[Tensor] = []
        self.variances: list[Tensor] = []

    def __call__(
        self, norms: Sequence[nn.BatchNorm2d], z: Tensor, weight: Tensor | None, bias: Tensor | None
    ) -> Tensor:
        """z: [batch, channels of all norms, height, width]; weight, bias: [channels of all norms]."""
        first = norms[0]
        if not first.training:
            mean, variance = (torch.cat(list(s)) for s in zip(*map(get_running_statistics, norms), strict=True))
            return F.batch_norm(z, mean, variance, weight, bias, eps=first.eps)
        return F.batch_norm(z, *self.fresh(norms), weight, bias, training=True, momentum=1.0, eps=first.eps)

    def repeated(self, norms: Sequence[nn.BatchNorm2d], z: Tensor) -> Iterator[Tensor]:
        """The outputs of several norms without scales and shifts, of one input: in train mode all equal."""
        if not norms[0].training:
            yield from (self([norm], z, None, None) for norm in norms)
            return
        y = self(norms[:1], z, None, None)
        self.norms += norms[1:]
        self.means += self.means[-1:] * (len(norms) - 1)
        self.variances += self.variances[-1:] * (len(norms) - 1)
        yield from [y] * len(norms)

    def fresh(self, norms: Sequence[nn.BatchNorm2d]) -> tuple[Tensor, Tensor]:
        """Where the batch's mean and unbiased variance [channels of all norms] are to be written before `store`."""
        widths = [n.num_features for n in norms]
        mean, variance = get_running_statistics(norms[0])[0].new_zeros(2, sum(widths))
        self.norms += norms
        self.means += mean.split(widths)
        self.variances += variance.split(widths)
        return mean, variance

    def store(self) -> None:
        if not self.norms:
            return
        counts = [n.num_batches_tracked for n in self.norms]
        torch._foreach_add_(counts, 1)  # type: ignore[arg-type]
        momentum = self.norms[0].momentum
        if momentum is None:  # the plain mean over batches
            momentum = 1 / int(counts[0])  # type: ignore[arg-type]
        kept = [s for pair in zip(*map(get_running_statistics, self.norms), strict=True) for s in pair]
        torch._foreach_mul_(kept, 1 - momentum)
        torch._foreach_add_(kept, self.means + self.variances, alpha=momentum)


def get_running_statistics(norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Running mean and variance."""
    assert norm.running_mean is not None and norm.running_var is not None
    return norm.running_mean, norm.running_var


class Together:
    """Convolutions of one input and one kernel size, each with its batch norm, computed as one of each.

    layers: sequences that hold one convolution (without bias) and one batch norm. Outputs lie side by side.
    """

    def __init__(self, layers: Iterable[nn.Sequential]) -> None:
        members = [list(layer) for layer in layers]
        self.convolutions = [m for layer in members for m in layer if isinstance(m, nn.Conv2d)]
        self.norms = [m for layer in members for m in layer if isinstance(m, nn.BatchNorm2d)]
        first = self.convolutions[0]
        self.stride, self.padding = first.stride, first.padding
        self.pointwise = first.kernel_size == first.stride == (1, 1)
        self.widths = [c.out_channels for c in self.convolutions]

    def weight(self) -> Tensor:
        """That of the one convolution."""
        return torch.cat([c.weight for c in self.convolutions])

    def convolve(self, x: Tensor) -> Tensor:
        """[batch, channels of all, height, width], before batch norm."""
        return F.conv2d(x, self.weight(), None, self.stride, self.padding)

    def affine(self) -> tuple[Tensor, Tensor]:
        """Scales and shifts of the batch norms."""
        return torch.cat([n.weight for n in self.norms]), torch.cat([n.bias for n in self.norms])

    def folded(self) -> Callable[[Tensor], Tensor]:
        """Convolution and batch norm in eval mode, without gradients of their weights."""
        weight, bias = self.fold()
        return lambda x: F.conv2d(x, weight, bias, self.stride, self.padding)

    def fold(self) -> tuple[Tensor, Tensor]:
        """Weight and bias of that convolution."""
        with torch.no_grad():
            parts = [
                fuse_conv_bn_weights(c.weight, None, *get_running_statistics(n), n.eps, n.weight, n.bias)
                for c, n in zip(self.convolutions, self.norms, strict=True)
            ]
            weight, bias = (torch.cat(list(p)) for p in zip(*parts, strict=True))
        return make_channels_last(weight), bias


def make_channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def is_autocasting(x: Tensor) -> bool:
    """Whether PyTorch chooses the precision of each operation now, as it does for its own operations alone."""
    return torch.is_autocast_enabled(x.device.type)


def average_pool(x: Tensor) -> Tensor:
    """3x3 average over the pixels inside the image, stride 1.

    On a CPU as a depthwise convolution, which takes a third of the time of PyTorch's pooling.
    """
    if x.device.type != "cpu":
        return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
    return sum_boxes(x) * compute_pixel_shares(*x.shape[2:], x.dtype)


def average_pool_backward(gradient: Tensor, x: Tensor) -> Tensor:
    """The gradient of `average_pool` over its input x."""
    if x.device.type != "cpu":
        back: Tensor = torch.ops.aten.avg_pool2d_backward(gradient, x, [3, 3], [1, 1], [1, 1], False, False, None)
        return back
    return sum_boxes(gradient * compute_pixel_shares(*x.shape[2:], x.dtype))


def sum_boxes(x: Tensor) -> Tensor:
    """3x3 sums, stride 1."""
    channels = x.shape[1]
    return F.conv2d(x, x.new_ones(channels, 1, 3, 3), padding=1, groups=channels)


@cache
def compute_pixel_shares(height: int, width: int, dtype: torch.dtype) -> Tensor:
    """One over the number of pixels of the 3x3 window at each place: [height, width]."""
    ones = torch.ones(1, 1, height, width, dtype=torch.float64)
    counts = F.conv2d(ones, torch.ones(1, 1, 3, 3, dtype=torch.float64), padding=1)
    return (1 / counts[0, 0]).to(dtype)
