"""One-shot networks of one shape, computed side by side: those of several searches in one pass.

Small networks are computed no faster for being small: a step of theirs is thousands of operations on tensors of a few
thousand numbers. Here, the channels of M networks lie side by side in one tensor, [batch, M channels, height, width],
and their convolutions are one with M groups. The networks never exchange a value.

What a network gets is the same number, bit for bit, whoever is beside it and however many are, as long as it is not
alone: PyTorch computes a convolution of one group otherwise, so that one network is computed as two. Sums over batch
and pixels are left to the backward pass of batch norm, which takes them channel by channel; PyTorch's own sums depend
on where in the tensor a channel lies (measured on x86 with AVX-512).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from harness.core.streams import send_to_device
from harness.spaces.blocks.fused import get_running_statistics, is_autocasting, make_channels_last
from harness.spaces.blocks.mix import Mix
from harness.spaces.blocks.supernet import Supernet

EVALUATED = 125
"""Images that are evaluated at a time: what several networks keep of more leaves the processor's caches."""

Weights = Mapping[str, Tensor]
Folds = Mapping[str, tuple[Tensor, Tensor]]


class Stack(torch.autograd.Function):
    """The tensors of M networks, end to end along the first dimension: of inputs network by network, one output for
    each tensor of a network."""

    @staticmethod
    def forward(ctx: Any, members: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        ctx.members, count = members, len(tensors) // members
        return tuple(torch.cat(tensors[place::count]) for place in range(count))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        parts = [g.chunk(ctx.members) for g in gradients]
        return None, *(part[member] for member in range(ctx.members) for part in parts)


class Member:
    """One of the networks. Its running statistics are moved into one piece of memory, where they are brought up to date
    by a few operations; its modules hold views of it."""

    def __init__(self, net: Any) -> None:
        self.net = net
        self.parameters: list[nn.Parameter] = list(net.parameters())
        self.norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
        self.widths = [norm.num_features for norm in self.norms]
        self.counts = torch.stack([get_batch_count(norm) for norm in self.norms])
        self.means, self.variances = (
            torch.cat(list(s)) for s in zip(*map(get_running_statistics, self.norms), strict=True)
        )
        momenta = [torch.full_like(get_running_statistics(norm)[0], norm.momentum or 0.0) for norm in self.norms]
        self.momenta = torch.cat(momenta)
        parts = zip(
            self.counts.unbind(), *(torch.split(s, self.widths) for s in (self.means, self.variances)), strict=True
        )
        for norm, (count, mean, variance) in zip(self.norms, parts, strict=True):
            norm.num_batches_tracked, norm.running_mean, norm.running_var = count, mean, variance

    def store(self, mean: Tensor, variance: Tensor) -> None:
        """Bring the running statistics up to date with those of a batch, as the modules would have done."""
        self.counts += 1
        for kept, fresh in ((self.means, mean), (self.variances, variance)):
            kept.mul_(1 - self.momenta).addcmul_(fresh, self.momenta)


def get_batch_count(norm: nn.BatchNorm2d) -> Tensor:
    """The number of batches that a norm has seen."""
    assert norm.num_batches_tracked is not None
    return norm.num_batches_tracked


class Statistics:
    """Batch statistics of a training pass of M networks. widths: of their batch norms."""

    def __init__(self, count: int, widths: Sequence[int], like: Tensor) -> None:
        self.count = count
        rows = like.new_zeros(2, count * sum(widths))
        self.rows = [torch.split(row, [count * width for width in widths]) for row in rows]

    def __getitem__(self, place: int) -> tuple[Tensor, Tensor]:
        """Where batch norm writes mean and unbiased variance of a norm, [M channels]."""
        return self.rows[0][place], self.rows[1][place]

    def store(self, members: Sequence[Member]) -> None:
        """Tell each network its own."""
        means, variances = (torch.cat([r.view(self.count, -1) for r in row], dim=1) for row in self.rows)
        for member, mean, variance in zip(members, means, variances, strict=False):
            member.store(mean, variance)


def shape_per_channel(values: Tensor) -> Tensor:
    """A value a channel, to be multiplied with images."""
    return values.view(1, -1, 1, 1)


def compute_channel_products(a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """Of each channel of two batches of images, [channels]: their inner product, and the sum of the first."""
    nothing = a.new_zeros(a.shape[1])
    _, product, total = torch.ops.aten.native_batch_norm_backward(
        a, b, None, None, None, nothing, nothing + 1, True, 0.0, [False, True, True]
    )
    return product, total


def apply_norm(
    z: Tensor, weight: Tensor | None, bias: Tensor | None, statistics: tuple[Tensor, Tensor], eps: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm of the batch's statistics, and what its backward pass needs of them: mean and inverse deviation."""
    found: tuple[Tensor, Tensor, Tensor] = torch.native_batch_norm(z, weight, bias, *statistics, True, 1.0, eps)
    return found


def differentiate_norm(
    g: Tensor, z: Tensor, weight: Tensor, mean: Tensor, spread: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of batch norm over its input, its scales and its shifts. PyTorch's own gradient of the input
    rounds otherwise in the last channels of a tensor."""
    _, dweight, dbias = torch.ops.aten.native_batch_norm_backward(
        g, z, None, None, None, mean, spread, True, 0.0, [False, True, True]
    )
    slope, count = weight * spread, z.numel() // z.shape[1]
    tilt = slope * spread * dweight / -count
    level = -(slope * dbias / count + tilt * mean)
    return (
        torch.addcmul(torch.addcmul(shape_per_channel(level), z, shape_per_channel(tilt)), g, shape_per_channel(slope)),
        dweight,
        dbias,
    )


class Norm(torch.autograd.Function):
    """Batch norm with scales and shifts, of the batch's statistics."""

    @staticmethod
    def forward(
        ctx: Any, z: Tensor, weight: Tensor, bias: Tensor, statistics: tuple[Tensor, Tensor], eps: float
    ) -> Tensor:
        y, mean, spread = apply_norm(z, weight, bias, statistics, eps)
        ctx.save_for_backward(z, weight, mean, spread)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (gradient,) = gradients
        return *differentiate_norm(make_channels_last(gradient), *ctx.saved_tensors), None, None


class WeightedSum(torch.autograd.Function):
    """w_1 x_1 + w_2 x_2 + ..., each w a value a channel."""

    @staticmethod
    def forward(ctx: Any, weights: Tensor, *xs: Tensor) -> Tensor:
        """weights: [number of x, channels]."""
        ctx.save_for_backward(weights, *xs)
        first, *others = xs
        y = first * shape_per_channel(weights[0])
        for x, w in zip(others, weights[1:], strict=True):
            y.addcmul_(x, shape_per_channel(w))
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        weights, *xs = ctx.saved_tensors
        g = make_channels_last(gradients[0])
        needed = ctx.needs_input_grad
        slopes = torch.stack([compute_channel_products(g, x)[0] for x in xs]) if needed[0] else None
        return slopes, *(g * shape_per_channel(w) if n else None for w, n in zip(weights, needed[1:], strict=True))


def sum_weighted(weights: Tensor, *xs: Tensor) -> Tensor:
    """Of as many weights, [number of xs, channels]."""
    found: Tensor = WeightedSum.apply(weights, *xs)  # type: ignore[no-untyped-call]
    return found


def move_channels_last(x: Tensor, members: int, parts: int) -> Tensor:
    """[batch, M channels, height, width] as [batch, height, width, M, parts, channels of a part]."""
    return x.permute(0, 2, 3, 1).unflatten(-1, (members, parts, -1))  # type: ignore[no-untyped-call, no-any-return]


def move_channels_back(x: Tensor) -> Tensor:
    """[batch, height, width, M, ...] as [batch, M channels, height, width]."""
    return x.flatten(3).contiguous().permute(0, 3, 1, 2)


def differentiate_convolution(
    g: Tensor, x: Tensor, weight: Tensor, groups: int, needed: Sequence[bool]
) -> tuple[Tensor | None, Tensor | None]:
    """The gradients of a same-padded convolution of stride 1 over its input and its weight, those that are needed."""
    side = weight.shape[-1] // 2
    found: tuple[Tensor | None, ...] = torch.ops.aten.convolution_backward(
        g, x, weight, None, [1, 1], [side, side], [1, 1], False, [0, 0], groups, [*needed, False]
    )
    return found[0], found[1]


def add_over(total: Tensor | None, value: Tensor | None) -> Tensor | None:
    """Their sum, written over the total, where both are there."""
    if total is None or value is None:
        return value if total is None else total
    return total.add_(value)


class SideBySide(ABC):
    """The networks of several searches as one. A space names its subclass in `Networks.together`.

    members: of one shape, at least one.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self.members, self.count = list(members), max(2, len(members))
        """Count: of the networks that are computed."""
        self.nets = [member.net for member in self._filled(self.members)]
        self.first = self.nets[0]
        self.names = [name for name, _ in self.first.named_parameters()]
        self.norm_names = [name for name, m in self.first.named_modules() if isinstance(m, nn.BatchNorm2d)]
        self.places = {name: place for place, name in enumerate(self.norm_names)}
        self.norms = [member.norms for member in self._filled(self.members)]

    @classmethod
    def covers(cls, net: Supernet, x: Tensor, mix: Mix) -> bool:
        """Whether a pass of this network, as it stands, can be computed beside others."""
        plain = not (net.path_dropout or net.auxiliary_of_cell or getattr(net, "reads", True) or is_autocasting(x))
        return plain and all(m.dim() == 2 for m in mix)  # drop-path drops the outputs of operations one by one

    @classmethod
    def freezes(cls, net: Supernet, x: Tensor) -> bool:
        """Whether the frozen network can be."""
        return cls.covers(net, x, ())

    @abstractmethod
    def layers(self, x: Tensor, mix: Mix, weights: Weights) -> Tensor:
        """Logits [M, batch, classes] in train mode of images [batch, M channels, height, width] and mixing weights
        [M, choices, options]. weights: see `_weights`."""

    @abstractmethod
    def frozen_layers(self, weights: Weights, norms: Folds) -> Callable[[Tensor], Callable[[Mix], Tensor]]:
        """The same in eval mode: of images a function of the mixing weights, differentiable in them alone. norms: see
        `_folds`."""

    def _filled(self, given: Sequence[Any]) -> list[Any]:
        """One for each network that is computed: the first again, where there is but one."""
        return [*given, *given[:1]][: self.count]

    def forward(self, xs: Sequence[Tensor], mixes: Sequence[Mix]) -> list[Tensor]:
        """The logits of each network in train mode, of its images and its mixing weights."""
        self.statistics = Statistics(self.count, self.members[0].widths, xs[0])
        found = self.layers(self._images(xs), self._mixes(mixes), self._weights())
        self.statistics.store(self.members)
        return list(found.unbind()[: len(self.members)])

    def frozen(self, xs: Sequence[Tensor]) -> Callable[[Mapping[int, Mix]], list[Tensor]]:
        """The logits of each network in eval mode as a function of the mixing weights, by the network's place; those of
        networks that it is not asked for are anything."""
        size = len(xs[0]) if torch.is_grad_enabled() else EVALUATED
        with torch.no_grad():
            layers = self.frozen_layers(self._weights(), self._folds())
            parts = [layers(self._images(images)) for images in zip(*(torch.split(x, size) for x in xs), strict=True)]

        def found(mixes: Mapping[int, Mix]) -> list[Tensor]:
            idle = [m.detach() for m in next(iter(mixes.values()))]
            own = [mixes.get(place, idle) for place in range(self.count)]
            mix = [torch.stack(rows) for rows in zip(*own, strict=True)]
            return list(torch.cat([logits(mix) for logits in parts], dim=1).unbind())

        return found

    def _folds(self) -> Folds:
        """Batch norm in eval mode by its name: factors and shifts, [M channels]."""
        found = {}
        for place, name in enumerate(self.norm_names):
            norms = [own[place] for own in self.norms]
            mean, variance = (torch.cat(list(s)) for s in zip(*map(get_running_statistics, norms), strict=True))
            factor = (variance + norms[0].eps).rsqrt()
            shift = -mean * factor
            if norms[0].affine:
                weight = torch.cat([n.weight for n in norms])
                factor, shift = factor * weight, shift * weight + torch.cat([n.bias for n in norms])
            found[name] = factor, shift
        return found

    def _images(self, xs: Sequence[Tensor]) -> Tensor:
        return make_channels_last(torch.cat(self._filled(xs), dim=1))

    def _mixes(self, mixes: Sequence[Mix]) -> Mix:
        own = [*mixes, [m.detach() for m in mixes[0]]][: self.count]
        return [torch.stack(rows) for rows in zip(*own, strict=True)]

    def _weights(self) -> dict[str, Tensor]:
        """Every parameter of the networks, end to end, by its name."""
        every = [member.parameters for member in self.members]
        own: list[Sequence[Tensor]] = [*every]
        if len(own) < self.count:
            own.append([p.detach() for p in every[0]])
        tensors = (p for parameters in own for p in parameters)
        stacked: Any = Stack.apply(self.count, *tensors)  # type: ignore[no-untyped-call]
        return dict(zip(self.names, stacked, strict=True))

    # -- what layers are made of -----------------------------------------------------------------------------

    def convolve(self, x: Tensor, weight: Tensor, stride: int = 1) -> Tensor:
        """Same-padded."""
        return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, 1, self.count)

    def norm(self, z: Tensor, name: str, weights: Weights) -> Tensor:
        """Batch norm in train mode."""
        place, width = self.places[name], z.shape[1]
        weight, bias = weights.get(f"{name}.weight", z.new_ones(width)), weights.get(f"{name}.bias", z.new_zeros(width))
        found: Tensor = Norm.apply(z, weight, bias, self.statistics[place], self.norms[0][place].eps)  # type: ignore[no-untyped-call]
        return found

    def classified(self, features: Tensor, weights: Weights, name: str = "classifier") -> Tensor:
        """Logits [M, batch, classes] of the mean over pixels of [batch, M channels, height, width]."""
        mean = F.avg_pool2d(features, features.shape[2:]).view(len(features), self.count, -1).transpose(0, 1)
        weight = weights[f"{name}.weight"].view(self.count, -1, mean.shape[-1])
        return torch.baddbmm(weights[f"{name}.bias"].view(self.count, 1, -1), mean, weight.transpose(1, 2))

    def wide(self, rows: Tensor, channels: int) -> Tensor:
        """Values of each network, [M, ...], as one for each of its channels: [..., M channels]."""
        moved = rows.movedim(0, -1)
        return moved[..., None].expand(*moved.shape, channels).flatten(-2)

    # -- what is around mixed operations ---------------------------------------------------------------------

    def auxiliary_factors(self, like: Tensor) -> Tensor | None:
        """Those of the auxiliary skips, [M]; None where all are zero."""
        factors = [net.auxiliary_skip for net in self.nets]
        return send_to_device(torch.tensor(factors, dtype=like.dtype), like.device) if any(factors) else None

    def inside(self, x: Tensor) -> Tensor:
        """The channels of each network that its operations mix."""
        parts = self.first.partial_channels
        return x if parts == 1 else move_channels_back(move_channels_last(x, self.count, parts)[..., 0, :])

    def beside(self, y: Tensor, x: Tensor, factors: Tensor | None) -> Tensor:
        """What `Supernet.around` puts around mixed channels y, of the input x. factors: of the auxiliary skips."""
        parts = self.first.partial_channels
        if parts > 1:
            rest = move_channels_last(x, self.count, parts)[..., 1:, :]
            y = move_channels_back(torch.cat([move_channels_last(y, self.count, 1), rest], dim=-2).transpose(-1, -2))
        if factors is None:
            return y
        return torch.addcmul(y, x, shape_per_channel(self.wide(factors, x.shape[1] // self.count)))
