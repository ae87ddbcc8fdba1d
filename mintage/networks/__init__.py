"""What a network is. Each module has one, as `NETWORK`; mintage/catalog.py names them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

ANY_RANK = (1, 2, 3)


@dataclass(frozen=True)
class Network:
    """The two networks of a kind, and what can be asked of them."""

    generator: Callable[..., nn.Module]
    """(vector_size, image_shape, width, norm, plane_size) -> (vector, modulation, plane) -> images in [-1,1].

    Of one that translates: (vector_size, image_shape, width, norm, source_shape) -> (source, vector) -> images.
    """
    discriminator: Callable[..., Any]
    """(image_shape, width, norm) -> images -> features `[N, feature_size]`, or `[N P, feature_size]` of P patches."""
    normalization: tuple[str, str]
    """Of the generator and of the discriminator, where nothing else is said."""
    has_maps: bool = True
    """Whether the generator has a first feature map."""
    norms_units: bool = False
    """Whether some norms are of units, which have no places."""
    has_norms: bool = True
    plain: bool = False
    """Whether its layers can have another activation, and dropout behind that."""
    strided: bool = False
    """Whether its feature maps are halved and doubled by convolutions of stride 2, which may be chosen (`Layers.up`).

    Of one that also takes sound, sides and channels of the maps are those of `Layers.levels`."""
    translates: bool = False
    """Whether the generator makes images of images."""
    enlarges: bool = False
    """Whether these may be 2, 4 or 8 times as high and wide as their sources; else they are as high and wide."""
    adds: bool = False
    """Whether the generator can be given a third thing: a base `[N,C,*S]` to which it adds (`Recipe.residual`)."""
    coarse: bool = False
    """Whether the generator has a child `coarse`, (source, vector) -> images, that learns alone before the game."""
    stacks: bool = False
    """Whether the generator refines what another one makes of the same latents: it is told `first_shape` last, and is
    (first's images, vector, modulation, plane) -> images; its method `enlarged` brings first's images to that size."""
    decoder: Callable[..., nn.Module] | None = None
    """What draws an image of features, as (vector_size, image_shape, width, norm) -> vector -> images, where the
    generator does not."""
    extracts: bool = False
    """Whether the generator has a child `extractor`, images -> features, that learns classes before the game, and a
    child `drawer`, features -> images."""
    patches: bool = False
    """Whether the discriminator judges patches of an image apart."""
    reads_labelled: bool = False
    """Whether the discriminator also takes images and the planes of their classes apart (`labelled.py`)."""
    couples: bool = False
    """Whether both networks can have layers of each domain's own: they are told `domains`, how many there are."""
    writes: bool = False
    """Whether samples are sequences of words, of which both networks are told how many there are, last of all."""
    deep: bool = False
    """Whether it has so many plain layers that small weights let no signal through."""
    ranks: tuple[int, ...] = (2,)
    """Of how many axes images may be: 1 is sound, 2 a picture, 3 a volume."""
