"""Normalisation by name, for either player: of activations, of weights (spectral), modulated by a condition."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

NORMALIZATIONS = ("none", "batch", "layer", "instance", "spectral", "spectral_batch")
MODULATION_STD = 0.02
"""A condition starts small, so that the latent is heard beside it."""


class Modulation(nn.Linear):
    """A condition `[N,M]` to a change of scale and a shift `[N, 2 channels]`, both small at the start."""

    def reset_parameters(self) -> None:
        nn.init.normal_(self.weight, 0.0, MODULATION_STD)
        nn.init.zeros_(self.bias)


class Norm(nn.Module):
    """Normalises `[N,C]` or `[N,C,H,W]`; with a modulation `[N,M]`, scale and shift come from that."""

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
        modulated: Tensor = normalized * (1 + scale) + shift
        return modulated


class Modulated(nn.Sequential):
    """Layers in a row, whose norms also see the modulation."""

    def forward(self, maps: Tensor, modulation: Tensor | None = None) -> Tensor:
        for layer in self:
            maps = layer(maps, modulation) if isinstance(layer, Norm) else layer(maps)
        return maps


@dataclass(frozen=True)
class Normalization:
    """A player's normalisation."""

    name: str
    modulation_size: int = 0
    """Width of the condition by which each norm is scaled and shifted; 0 is none."""
    tracks: bool = True
    """Whether batch norm keeps running statistics, which only a player that is used after training needs."""
    dropout: float = 0.0
    """Share of the units behind each activation that a training step leaves out."""

    @property
    def batch(self) -> bool:
        return self.name in ("batch", "spectral_batch")

    @property
    def spectral(self) -> bool:
        return self.name in ("spectral", "spectral_batch")

    def active(self, activation: nn.Module) -> nn.Module:
        """The activation behind a norm, and the dropout behind that."""
        return nn.Sequential(activation, nn.Dropout(self.dropout)) if self.dropout else activation

    def norm(self, channels: int, maps: bool = True) -> Norm:
        """A layer for `channels` feature maps, or for as many units where `maps` is False."""
        return Norm(self._layer(channels, maps), channels, self.modulation_size)

    def _layer(self, channels: int, maps: bool) -> nn.Module:
        affine = not self.modulation_size
        if self.batch:
            kind = nn.BatchNorm2d if maps else nn.BatchNorm1d
            return kind(channels, affine=affine, track_running_stats=self.tracks)
        if self.name == "layer":
            return nn.GroupNorm(1, channels, affine=affine)  # one group: over all channels and places of an image
        if self.name == "instance":
            return nn.InstanceNorm2d(channels, affine=affine)
        return nn.Identity()

    def constrain(self, player: nn.Module) -> None:
        """Where spectral: every weight divided by its largest singular value (Miyato et al. 2018).

        To be called when the weights have their first values. A modulation is left as it is: at a
        singular value of 1 the condition would drown the latent.
        """
        if not self.spectral:
            return
        for layer in list(player.modules()):
            weighted = isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d | nn.Embedding)
            if weighted and not isinstance(layer, Modulation):
                spectral_norm(layer)


@torch.no_grad()
def average_into(average: nn.Module, latest: nn.Module, keep: float) -> None:
    """Move every weight and running statistic of `average` to that of `latest`, keeping the share `keep`."""
    averages = average.state_dict()
    for name, tensor in latest.state_dict().items():
        # Counts, and the vectors of spectral norm, whose mean is no singular vector.
        if not tensor.is_floating_point() or name.endswith(("._u", "._v")):
            averages[name].copy_(tensor)
        else:
            averages[name].lerp_(tensor, 1 - keep)


def running_statistics(player: nn.Module) -> list[Tensor]:
    """What batch norm keeps of the batches it saw; of several processes, each sees its own rows."""
    return [tensor for name, tensor in player.named_buffers() if name.endswith(("running_mean", "running_var"))]
