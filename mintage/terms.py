"""Losses of the generator beside the objective, or in its place: terms of a few lines, with their papers' weights."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from mintage import processes
from mintage.layers import Modulation
from mintage.networks import ANY_RANK
from mintage.networks.parts import CONVOLUTIONS

_SPECTRA = (128, 256, 512, 1024)
"""Windows of the spectra of sound, in samples."""
_MARGIN = 10.0
"""Squared distance that different images should have at least, as in the code of Amodio and Krishnaswamy 2019."""
_SILENT = 1e-4
"""Magnitude up to which a sound counts as silent."""


@dataclass(frozen=True)
class Play:
    """What a term may use, in a step of the generator."""

    network: nn.Module
    """The generator's network."""
    images: Tensor
    """Real, `[N,C,H,W]` in [-1,1]."""
    fakes: Tensor
    """`[N,C,H,W]`, made for the same labels or from the same sources, with the generator's graph."""
    between: "Between | None" = None
    """More inputs for two domains without pairs; else None."""
    features: Callable[[], tuple[Tensor, Tensor]] | None = None
    """Features of real images and of fakes, `[M,F]` each: the input of the discriminator's last layer."""


@dataclass(frozen=True)
class Between:
    """What more a term may use, in one of the two directions between domains."""

    sources: Tensor
    """`[N,C,H,W]`, from which the fakes were made."""
    forth: Callable[[Tensor], Tensor]
    """Translates images in this direction."""
    back: Callable[[Tensor], Tensor]
    """Translates images in the other direction."""
    known: Callable[[Tensor], Tensor] | None = None
    """Images of either domain to features `[N,F]` that compare them; None if the game has none."""


@dataclass(frozen=True)
class Term:
    loss: Callable[[Play], Tensor]
    """A scalar, in float32."""
    weight: float
    """Its paper's weight."""
    of_pairs: bool = False
    """Whether it compares each fake with the real image in the same row, which must then be its truth."""
    of_domains: bool = False
    """Whether it needs two domains, with a generator for each direction."""
    of_classes: bool = False
    """Whether it needs features that were learned from the classes of the sources."""
    of_differences: bool = False
    """Whether it needs an embedding that was learned to compare images."""
    of_features: bool = False
    """Whether it compares the discriminator's features of real images and of fakes."""
    ranks: tuple[int, ...] = ANY_RANK
    """How many spatial axes images may have: 1 is sound."""


def l1(play: Play) -> Tensor:
    """The mean absolute difference from the truth (Isola et al. 2017, equation 3)."""
    return (play.fakes.float() - play.images.float()).abs().mean()


def l2(play: Play) -> Tensor:
    """The mean squared difference from the truth (Ledig et al. 2017, equation 4)."""
    return (play.fakes.float() - play.images.float()).square().mean()


def gradient_difference(play: Play) -> Tensor:
    """By how much the steepness of edges differs from that of the truth, along each axis.

    Mathieu et al. 2016, equation 6, with alpha 1; a mean over pixels.
    """
    fakes, images = play.fakes.float(), play.images.float()
    gaps = [(fakes.diff(dim=axis).abs() - images.diff(dim=axis).abs()).abs().mean() for axis in range(2, images.ndim)]
    return torch.stack(gaps).sum()


def spectrum(play: Play) -> Tensor:
    """The mean absolute difference of sounds' log magnitudes over time, at windows of 128 to 1,024 samples.

    Yamamoto et al. 2020, equation 5, as a mean over the windows that are no longer than the sound. Magnitudes of 80
    decibels below a sine of full range, or less, count as silent.
    """
    fakes, images = (sounds.float().flatten(0, 1) for sounds in (play.fakes, play.images))
    sizes = sorted({min(size, images.shape[1]) for size in _SPECTRA})
    return torch.stack([(_log_heights(fakes, size) - _log_heights(images, size)).abs().mean() for size in sizes]).mean()


def _log_heights(sounds: Tensor, size: int) -> Tensor:
    """Log magnitudes `[N, size / 2 + 1, frames]` of sounds `[N,T]`, in windows of this size, four over each sample."""
    window = torch.hann_window(size, device=sounds.device)
    with torch.autocast(sounds.device.type, enabled=False):
        found = torch.stft(sounds, size, size // 4, window=window, center=False, return_complex=True)
    heights = found.abs() / (window.sum() / 2)  # a sine of full range has 1
    return (heights + _SILENT).log()


def cycle(play: Play) -> Tensor:
    """The mean absolute difference between sources and the sources translated forth and back.

    Zhu et al. 2017, equation 2, in one of the two directions.
    """
    return (_round_trip(play) - _between(play).sources.float()).abs().mean()


def cycle_squares(play: Play) -> Tensor:
    """The mean squared difference of `cycle`, as in the code of Kim et al. 2017."""
    return (_round_trip(play) - _between(play).sources.float()).square().mean()


def identity(play: Play) -> Tensor:
    """How far a translation changes an image that is already of its target domain (Zhu et al. 2017, section 5.2)."""
    return (_between(play).forth(play.images).float() - play.images.float()).abs().mean()


def identity_squares(play: Play) -> Tensor:
    """The mean squared difference of `identity`: target identity (Taigman et al. 2017, equation 6)."""
    return (_between(play).forth(play.images).float() - play.images.float()).square().mean()


def constancy(play: Play) -> Tensor:
    """The mean squared difference between the frozen features of a translation and of its source.

    Taigman et al. 2017, equation 5: f-constancy.
    """
    fakes, sources = (_known(play, images) for images in (play.fakes, _between(play).sources))
    return (fakes.float() - sources.float()).square().mean()


def travel(play: Play) -> Tensor:
    """How far the difference of two sources' vectors is from the difference of their translations' vectors.

    Amodio and Krishnaswamy 2019, equation 3, over all pairs: squares and minus the cosine together, as in their code.
    """
    sources, fakes = (_differences(_known(play, images)) for images in (_between(play).sources, play.fakes))
    return (sources - fakes).square().mean() - cosine_similarity(sources, fakes, dim=1).mean()


def contrast(play: Play) -> Tensor:
    """By how much the squared distance of sources falls short of a margin (equation 4)."""
    return (_MARGIN - _differences(_known(play, _between(play).sources)).square().sum(1)).clamp(min=0).mean()


def _differences(vectors: Tensor) -> Tensor:
    """The difference of each of the vectors `[N,F]` from each other one: `[N(N-1), F]`."""
    vectors, count = vectors.float(), len(vectors)
    steps = torch.arange(1, count, device=vectors.device)
    others = (torch.arange(count, device=vectors.device)[:, None] + steps).flatten() % count
    return vectors.repeat_interleave(count - 1, 0) - vectors[others]


def features(play: Play) -> Tensor:
    """Feature matching beside the objective (Kim et al. 2017's code), with only the discriminator's last features."""
    assert play.features is not None
    return feature_gap(*play.features())


def mean_image(play: Play) -> Tensor:
    """The mean squared gap between the mean of real images and that of fakes (Yang et al. 2017, section 3.5)."""
    return feature_gap(play.images.flatten(1), play.fakes.flatten(1))


def _round_trip(play: Play) -> Tensor:
    return _between(play).back(play.fakes).float()


def _known(play: Play, images: Tensor) -> Tensor:
    known = _between(play).known
    assert known is not None
    return known(images)


def _between(play: Play) -> Between:
    assert play.between is not None
    return play.between


def feature_gap(real: Tensor, fake: Tensor) -> Tensor:
    """The mean squared gap between the mean features of real `[M,F]` and fake images `[M,F]`: feature matching.

    Salimans et al. 2016, section 3.1. The means are of the whole batch, which may be spread over processes.
    """
    return (_mean_of_all(real) - _mean_of_all(fake)).square().mean()


def _mean_of_all(features: Tensor) -> Tensor:
    """`[F]`, over all processes; its gradient reaches this process's own rows."""
    own = features.float().mean(0)
    everywhere = processes.total(own.detach()) / processes.count()
    return everywhere + (own - own.detach())


def overlap_of_filters(play: Play) -> Tensor:
    """The sum over weights W of |W W^T without its diagonal|^2: orthogonal regularization (Brock et al. 2019, eq. 3).

    Rows may have any length, but should point in different directions. Layers that a condition feeds are left out, as
    embeddings are in the authors' code.
    """
    overlaps = []
    for layer in play.network.modules():
        if isinstance(layer, (nn.Linear, *CONVOLUTIONS)) and not isinstance(layer, Modulation):
            rows = layer.weight.flatten(1)
            products = rows @ rows.T
            overlaps.append((products - torch.diag(products.diagonal())).square().sum())
    return torch.stack(overlaps).sum()


L1 = Term(l1, 100.0, of_pairs=True)
L2 = Term(l2, 1000.0, of_pairs=True)
"""The game's loss has a thousandth of this weight (equation 3)."""
GRADIENT_DIFFERENCE = Term(gradient_difference, 20.0, of_pairs=True)
"""The game's loss has a twentieth of this weight (section 3)."""
ORTHOGONAL = Term(overlap_of_filters, 1e-4)
CYCLE = Term(cycle, 10.0, of_domains=True)
CYCLE_SQUARES = Term(cycle_squares, 1.0, of_domains=True)
IDENTITY = Term(identity, 5.0, of_domains=True)
IDENTITY_SQUARES = Term(identity_squares, 15.0, of_domains=True)
CONSTANCY = Term(constancy, 15.0, of_domains=True, of_classes=True)
"""As much as target identity has, for digits in Taigman et al. 2017."""
TRAVEL = Term(travel, 10.0, of_domains=True, of_differences=True)
CONTRAST = Term(contrast, 10.0, of_domains=True, of_differences=True)
FEATURES = Term(features, 9.0, of_features=True)
"""Nine times the objective, as in the code of Kim et al. 2017."""
SPECTRUM = Term(spectrum, 10.0, of_pairs=True, ranks=(1,))
"""A tenth of the weight that L1 has, as in the code of Defossez et al. 2020."""
MEAN_IMAGE = Term(mean_image, 2.56)
"""A hundredth of half the sum of squares over 16 x 128 steps and pitches in [0,1], as in the authors' code."""
