"""What a network is. Each module here has one, as `NETWORK`; mintage/catalog.py names them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn

ANY_RANK = (1, 2, 3)


@dataclass(frozen=True)
class Network:
    """A generator and a discriminator that belong together, and what they support."""

    generator: Callable[..., nn.Module]
    """(vector_size, image_shape, width, kit, plane_size) -> (vector, modulation, plane) -> images in [-1,1].

    If it translates: (vector_size, image_shape, width, kit, source_shape) -> (source, vector) -> images.
    """
    discriminator: Callable[..., Any]
    """(image_shape, width, kit) -> images -> features `[N, feature_size]`, or `[N P, feature_size]` for P patches."""
    normalization: tuple[str, str]
    """Default normalizations: the generator's, then the discriminator's."""
    has_maps: bool = True
    """Whether the generator has a first feature map."""
    norms_units: bool = False
    """Whether some norms are of vectors, and not of feature maps."""
    has_norms: bool = True
    plain: bool = False
    """Whether its layers can have another activation, and dropout after it."""
    strided: bool = False
    """Whether convolutions of stride 2 halve and double its feature maps, which a recipe may choose (`Layers.up`).

    If it also takes sound, `Layers.levels` gives the sides and channels of the maps."""
    translates: bool = False
    """Whether the generator translates: it makes an image from a source."""
    enlarges: bool = False
    """Whether images may be 2, 4 or 8 times as high and wide as their sources; else both have one size."""
    adds: bool = False
    """Whether the generator takes a third input, a base `[N,C,*S]` to which it adds (`Recipe.residual`)."""
    coarse: bool = False
    """Whether the generator has a child `coarse`, (source, vector) -> images, which learns alone before the game."""
    stacks: bool = False
    """Whether the generator refines a first generator's images of the same latents. `first_shape` is its last argument;
    it is (first images, vector, modulation, plane) -> images, and its `enlarged` brings first images to its size."""
    decoder: Callable[..., nn.Module] | None = None
    """The network that decodes features to an image, (vector_size, image_shape, width, kit) -> vector -> images, if
    it is not the generator."""
    extracts: bool = False
    """Whether the generator has a child `extractor`, images -> features, which learns classes before the game, and a
    child `drawer`, features -> images."""
    patches: bool = False
    """Whether the discriminator judges each patch of an image by itself."""
    reads_labeled: bool = False
    """Whether the discriminator also takes images and class planes that are not joined (`labeled.py`)."""
    couples: bool = False
    """Whether both networks can have separate layers for each domain; then they take `domains`, their number."""
    writes: bool = False
    """Whether samples are sequences of words; the last argument of both networks is the size of the vocabulary."""
    deep: bool = False
    """Whether it has so many plain layers that a signal dies out if the first weights are small."""
    ranks: tuple[int, ...] = (2,)
    """How many spatial axes images may have: 1 is sound, 2 a picture, 3 a volume."""
