"""Networks by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

from mintage.networks import began, biggan, dcgan, infogan, mlp, points, r3gan, resnet


@dataclass(frozen=True)
class Network:
    """The two networks of a kind, and what can be asked of them."""

    generator: Callable[..., nn.Module]
    """(vector_size, image_shape, width, norm, plane_size) -> (vector, modulation, plane) -> images in [-1,1]."""
    discriminator: Callable[..., Any]
    """(image_shape, width, norm) -> images -> features `[N, feature_size]`."""
    normalization: tuple[str, str]
    """Of the generator and of the discriminator, where nothing else is said."""
    has_maps: bool = True
    """Whether the generator has a first feature map."""
    norms_units: bool = False
    """Whether some norms are of units, which have no places."""
    has_norms: bool = True
    drops: bool = False
    """Whether units can be left out (dropout)."""
    deep: bool = False
    """Whether it has so many plain layers that small weights let no signal through."""


NETWORKS = {
    "mlp": Network(mlp.Generator, mlp.Discriminator, ("batch", "none"), has_maps=False, norms_units=True, drops=True),
    "points": Network(
        points.Generator, points.Discriminator, ("none", "none"), has_maps=False, norms_units=True, deep=True
    ),
    "dcgan": Network(dcgan.Generator, dcgan.Discriminator, ("batch", "batch"), drops=True),
    "infogan": Network(infogan.Generator, infogan.Discriminator, ("batch", "batch"), norms_units=True),
    "resnet": Network(resnet.Generator, resnet.Discriminator, ("batch", "spectral")),
    "biggan": Network(biggan.Generator, biggan.Discriminator, ("spectral_batch", "spectral")),
    "began": Network(began.Generator, began.Discriminator, ("none", "none"), has_norms=False),
    "r3gan": Network(r3gan.Generator, r3gan.Discriminator, ("none", "none"), has_norms=False),
}
