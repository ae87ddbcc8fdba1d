"""The parts of a player's layers: norms (of weights too, or modulated by a condition), activation, first weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from mintage.networks.parts import (
    CONVOLUTIONS,
    INIT_STD,
    LONG_STRIDE,
    MAX_WIDENING,
    SLOPE,
    Down,
    LongDown,
    LongUp,
    PhaseShuffle,
    SmoothDown,
    SmoothUp,
    Up,
    channels,
    sizes,
)
from mintage.networks.resampling import Size

_ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": partial(nn.LeakyReLU, SLOPE),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
_INITIALIZATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "normal": partial(nn.init.normal_, std=INIT_STD),
    "xavier": nn.init.xavier_uniform_,
    "kaiming": partial(nn.init.kaiming_normal_, a=SLOPE),
    "orthogonal": nn.init.orthogonal_,
}
RANDOM = (nn.Dropout, PhaseShuffle)
"""Layers that draw random numbers by themselves."""
BATCH_NORMS: dict[int, type[nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d]]
BATCH_NORMS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
_INSTANCE_NORMS: dict[int, type[nn.InstanceNorm1d | nn.InstanceNorm2d | nn.InstanceNorm3d]]
_INSTANCE_NORMS = {1: nn.InstanceNorm1d, 2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
"""By the number of spatial axes."""
MODULATION_STD = 0.02
"""Scale of a modulation's first weights: small, so that the condition does not dominate the latent."""


class Modulation(nn.Linear):
    """A condition `[N,M]` to a change of scale and a shift `[N, 2 channels]`, both small at the start."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, 0.0, MODULATION_STD)
        nn.init.zeros_(self.bias)


class Norm(nn.Module):
    """Normalizes `[N,C]` or `[N,C,*S]`; a modulation `[N,M]`, if given, decides scale and shift."""

    def __init__(self, normalize: nn.Module, channels: int, modulation_size: int) -> None:
        super().__init__()
        self.normalize = normalize
        self.modulate = Modulation(modulation_size, 2 * channels) if modulation_size else None

    def forward(self, maps: Tensor, modulation: Tensor | None = None) -> Tensor:
        normalized: Tensor = self.normalize(maps)
        if self.modulate is None:
            return normalized
        places = [None] * (maps.ndim - 2)
        scale, shift = (part[:, :, *places] for part in self.modulate(modulation).chunk(2, dim=1))
        return normalized * (1 + scale) + shift


class Modulated(nn.Sequential):
    """Layers in sequence; their norms also get the modulation."""

    def forward(self, maps: Tensor, modulation: Tensor | None = None) -> Tensor:
        for layer in self:
            maps = layer(maps, modulation) if isinstance(layer, Norm) else layer(maps)
        return maps


@dataclass(frozen=True)
class Layers:
    """A recipe's choices for the layers of a player: the kit that any network is built from."""

    normalization: str
    modulation_size: int = 0
    """Width of the modulation, which scales and shifts each norm; 0 is none."""
    tracks: bool = True
    """Whether batch norm keeps running statistics; only a player that is used after training needs them."""
    dropout: float = 0.0
    """Share of the units after each activation that a training step leaves out."""
    activation: str = "network"
    initialization: str = "network"
    resampling: str = "network"
    """In these three, `network` is the network's default."""
    rank: int = 2
    """Axes of its feature maps."""
    phase_shuffle: int = 0
    """By how many places at most feature maps of sound are shifted at random before they are resampled."""

    @property
    def batch(self) -> bool:
        return self.normalization in ("batch", "spectral_batch")

    @property
    def spectral(self) -> bool:
        return self.normalization in ("spectral", "spectral_batch")

    def active(self, activation: nn.Module) -> nn.Module:
        """The activation after a norm, then dropout if there is any."""
        chosen = self.chosen(activation)
        return nn.Sequential(chosen, nn.Dropout(self.dropout)) if self.dropout else chosen

    def chosen(self, activation: nn.Module) -> nn.Module:
        """The recipe's activation, or else the network's own, `activation`."""
        return activation if self.activation == "network" else _ACTIVATIONS[self.activation]()

    def levels(self, sides: Sequence[int], width: int, *, up: bool = False) -> tuple[list[Size], list[int]]:
        """The sides of the image and of all smaller maps, and the channels of these; the smallest first if `up`."""
        stride, widest = (LONG_STRIDE, 2 * MAX_WIDENING) if self.resampling == "long" else (2, MAX_WIDENING)
        steps, order = sizes(*sides, stride=stride), -1 if up else 1
        return steps[::order], channels(len(steps) - 1, width, widest)[::order]

    @property
    def bias(self) -> bool:
        """Whether a layer before a norm has a bias, which batch norm would take away again."""
        return not self.batch

    def up(self, before: int, after: int, size: Size, bias: bool | None = None) -> nn.Module:
        """A layer that enlarges feature maps by one level, cut to `size`; before a norm, unless `bias` is given."""
        bias = self.bias if bias is None else bias
        return {"network": Up, "smooth": SmoothUp, "long": LongUp}[self.resampling](before, after, size, bias)

    def down(self, before: int, after: int, bias: bool | None = None) -> nn.Module:
        """A layer that shrinks feature maps by one level, rounding up; before a norm, unless `bias` is given."""
        bias = self.bias if bias is None else bias
        if self.resampling == "long":
            return LongDown(before, after, bias)
        return (Down if self.resampling == "network" else SmoothDown)(before, after, bias, self.rank)

    def shuffled(self, layer: nn.Module) -> nn.Module:
        """The layer, with a phase shuffle before it if the recipe has one."""
        return nn.Sequential(PhaseShuffle(self.phase_shuffle), layer) if self.phase_shuffle else layer

    def then(self, channels: int, activation: nn.Module, maps: bool = True) -> list[nn.Module]:
        """What follows most layers: a norm, as `norm` makes it, and the activation, as `active` does."""
        return [self.norm(channels, maps), self.active(activation)]

    def norm(self, channels: int, maps: bool = True) -> Norm:
        """A norm for `channels` feature maps, or for vectors of that length if `maps` is False."""
        return Norm(self._layer(channels, maps), channels, self.modulation_size)

    def _layer(self, channels: int, maps: bool) -> nn.Module:
        affine = not self.modulation_size
        if self.batch:
            return BATCH_NORMS[self.rank if maps else 1](channels, affine=affine, track_running_stats=self.tracks)
        if self.normalization == "layer":
            return nn.GroupNorm(1, channels, affine=affine)  # one group: over all channels and places of an image
        if self.normalization == "instance":
            return _INSTANCE_NORMS[self.rank](channels, affine=affine)
        return nn.Identity()

    def initialize(self, network: nn.Module) -> None:
        """Set a network's first weights, if the recipe asks for others; a modulation keeps its small ones."""
        if self.initialization == "network":
            return
        for layer in network.modules():
            if isinstance(layer, (nn.Linear, *CONVOLUTIONS)) and not isinstance(layer, Modulation):
                _INITIALIZATIONS[self.initialization](layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def constrain(self, player: nn.Module) -> None:
        """If spectral: divide every weight by its largest singular value (Miyato et al. 2018).

        Call it after the weights have their first values. A modulation is left out: at a singular value of 1 the
        condition would dominate the latent.
        """
        if not self.spectral:
            return
        for layer in list(player.modules()):
            weighted = isinstance(layer, (nn.Linear, *CONVOLUTIONS, nn.Embedding))
            if weighted and not isinstance(layer, Modulation):
                spectral_norm(layer)


@torch.no_grad()
def average_into(average: nn.Module, latest: nn.Module, keep: float) -> None:
    """Move every weight and running statistic of `average` towards `latest`: it keeps the share `keep`."""
    averages = average.state_dict()
    for name, tensor in latest.state_dict().items():
        # Counts, and spectral norm's vectors, whose mean is no singular vector, are copied.
        if not tensor.is_floating_point() or name.endswith(("._u", "._v")):
            averages[name].copy_(tensor)
        else:
            averages[name].lerp_(tensor, 1 - keep)


def running_statistics(player: nn.Module) -> list[Tensor]:
    """Batch norm's running statistics, if the player learns; they differ by process, since each sees its own rows."""
    learning = (layer for layer in player.modules() if layer.training)
    kept = (named for layer in learning for named in layer.named_buffers(recurse=False))
    return [tensor for name, tensor in kept if name.startswith("running_")]


def without_weights(module: nn.Module) -> None:
    """Turn a module's weights into buffers of the same names: no optimizer finds them, but gradients pass through."""
    for part in module.modules():
        for name, weight in list(part.named_parameters(recurse=False)):
            delattr(part, name)
            part.register_buffer(name, weight.detach())
