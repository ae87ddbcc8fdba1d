"""What the generator learns beside the objective, or in its place: terms of a few lines, with their papers' weights."""

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
"""Windows of sound, in samples."""
_MARGIN = 10.0
"""Between images that are told apart, in squares, as in the code of Amodio and Krishnaswamy 2019."""
_SILENT = 1e-4
"""Magnitude that counts as none."""


@dataclass(frozen=True)
class Play:
    """What a term may look at, in a step of the generator."""

    network: nn.Module
    """The generator's."""
    images: Tensor
    """Real, `[N,C,H,W]` in [-1,1]."""
    fakes: Tensor
    """`[N,C,H,W]`, made for the same labels or of the same sources, with the generator's graph behind them."""
    between: "Between | None" = None
    """Where there are two domains without pairs."""
    features: Callable[[], tuple[Tensor, Tensor]] | None = None
    """Of real images and of fakes, `[M,F]` each: what the discriminator's last layer is given."""


@dataclass(frozen=True)
class Between:
    """What more there is to look at in one of two directions between domains."""

    sources: Tensor
    """`[N,C,H,W]`, of which the fakes were made."""
    forth: Callable[[Tensor], Tensor]
    """Images as they are translated in this direction."""
    back: Callable[[Tensor], Tensor]
    """And in the other."""
    known: Callable[[Tensor], Tensor] | None = None
    """Images of either domain to features `[N,F]` in which they are compared, where a game has some."""


@dataclass(frozen=True)
class Term:
    loss: Callable[[Play], Tensor]
    """A scalar, in float32."""
    weight: float
    """Of its paper."""
    of_pairs: bool = False
    """Whether it compares each fake with the real image in its place, which must then be its truth."""
    of_domains: bool = False
    """Whether it needs two domains, and a generator for each direction between them."""
    of_classes: bool = False
    """Whether it needs features that were learned from the classes of the sources."""
    of_differences: bool = False
    """Whether it needs an embedding in which images are told apart."""
    of_features: bool = False
    """Whether it compares real images and fakes in the discriminator's features."""
    ranks: tuple[int, ...] = ANY_RANK
    """Of how many axes images may be: 1 is sound."""


def l1(play: Play) -> Tensor:
    """The mean absolute difference from the truth (Isola et al. 2017, equation 3)."""
    return (play.fakes.float() - play.images.float()).abs().mean()


def l2(play: Play) -> Tensor:
    """The mean squared difference from the truth (Ledig et al. 2017, equation 4)."""
    return (play.fakes.float() - play.images.float()).square().mean()


def gradient_difference(play: Play) -> Tensor:
    """How much steeper or flatter edges are than those of the truth, along each axis.

    Mathieu et al. 2016, equation 6, with alpha 1; a mean over pixels.
    """
    fakes, images = play.fakes.float(), play.images.float()
    gaps = [(fakes.diff(dim=axis).abs() - images.diff(dim=axis).abs()).abs().mean() for axis in range(2, images.ndim)]
    return torch.stack(gaps).sum()


def spectrum(play: Play) -> Tensor:
    """The mean absolute difference of sounds' log magnitudes over time, at windows of 128 to 1,024 samples.

    Yamamoto et al. 2020, equation 5, as a mean over the windows, none longer than the sound. What is 80 decibels below
    the sine that fills the range, and less, counts as silent.
    """
    fakes, images = (sounds.float().flatten(0, 1) for sounds in (play.fakes, play.images))
    sizes = sorted({min(size, images.shape[1]) for size in _SPECTRA})
    return torch.stack([(_log_heights(fakes, size) - _log_heights(images, size)).abs().mean() for size in sizes]).mean()


def _log_heights(sounds: Tensor, size: int) -> Tensor:
    """Of sounds `[N,T]` in windows of this size, four over each sample: `[N, size / 2 + 1, frames]`."""
    window = torch.hann_window(size, device=sounds.device)
    with torch.autocast(sounds.device.type, enabled=False):
        found = torch.stft(sounds, size, size // 4, window=window, center=False, return_complex=True)
    heights = found.abs() / (window.sum() / 2)  # of a sine that fills the range: 1
    return (heights + _SILENT).log()


def cycle(play: Play) -> Tensor:
    """The mean absolute difference of sources, translated and back again, from what they were.

    Zhu et al. 2017, equation 2; one direction of the two.
    """
    return (_round_trip(play) - _between(play).sources.float()).abs().mean()


def cycle_squares(play: Play) -> Tensor:
    """The same in squares, as in the code of Kim et al. 2017."""
    return (_round_trip(play) - _between(play).sources.float()).square().mean()


def identity(play: Play) -> Tensor:
    """How far an image that is of the wanted domain already is changed (Zhu et al. 2017, section 5.2)."""
    return (_between(play).forth(play.images).float() - play.images.float()).abs().mean()


def identity_squares(play: Play) -> Tensor:
    """The same in squares: target identity (Taigman et al. 2017, equation 6)."""
    return (_between(play).forth(play.images).float() - play.images.float()).square().mean()


def constancy(play: Play) -> Tensor:
    """The mean squared difference of a translation from its source in features that do not change.

    Taigman et al. 2017, equation 5: f-constancy.
    """
    between = _between(play)
    assert between.known is not None
    return (between.known(play.fakes).float() - between.known(between.sources).float()).square().mean()


def travel(play: Play) -> Tensor:
    """How far what leads from one source to another is from what leads from its translation to the other's.

    Amodio and Krishnaswamy 2019, equation 3, over all pairs: squares and minus the cosine together, as in their code.
    """
    between = _between(play)
    assert between.known is not None
    sources, fakes = (_differences(between.known(images)) for images in (between.sources, play.fakes))
    return (sources - fakes).square().mean() - cosine_similarity(sources, fakes, dim=1).mean()


def contrast(play: Play) -> Tensor:
    """By how much the squared distance of sources falls short of a margin (equation 4)."""
    between = _between(play)
    assert between.known is not None
    return (_MARGIN - _differences(between.known(between.sources)).square().sum(1)).clamp(min=0).mean()


def _differences(vectors: Tensor) -> Tensor:
    """Of each of `[N,F]` from each other one: `[N(N-1), F]`."""
    vectors, count = vectors.float(), len(vectors)
    steps = torch.arange(1, count, device=vectors.device)
    others = (torch.arange(count, device=vectors.device)[:, None] + steps).flatten() % count
    return vectors.repeat_interleave(count - 1, 0) - vectors[others]


def features(play: Play) -> Tensor:
    """Feature matching beside the objective (Kim et al. 2017's code), by the discriminator's last features alone."""
    assert play.features is not None
    return feature_gap(*play.features())


def mean_image(play: Play) -> Tensor:
    """The mean squared gap between the mean of real images and that of fakes (Yang et al. 2017, section 3.5)."""
    return feature_gap(play.images.flatten(1), play.fakes.flatten(1))


def _round_trip(play: Play) -> Tensor:
    return _between(play).back(play.fakes).float()


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

    It lets rows be of any length, and asks that they point in other directions. What a condition modulates is left
    out, as an embedding is in the authors' code.
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
"""A thousandth of it is the game's (equation 3)."""
GRADIENT_DIFFERENCE = Term(gradient_difference, 20.0, of_pairs=True)
"""The game is a twentieth of it (section 3)."""
ORTHOGONAL = Term(overlap_of_filters, 1e-4)
CYCLE = Term(cycle, 10.0, of_domains=True)
CYCLE_SQUARES = Term(cycle_squares, 1.0, of_domains=True)
IDENTITY = Term(identity, 5.0, of_domains=True)
IDENTITY_SQUARES = Term(identity_squares, 15.0, of_domains=True)
CONSTANCY = Term(constancy, 15.0, of_domains=True, of_classes=True)
"""As much as target identity has, of digits in Taigman et al. 2017."""
TRAVEL = Term(travel, 10.0, of_domains=True, of_differences=True)
CONTRAST = Term(contrast, 10.0, of_domains=True, of_differences=True)
FEATURES = Term(features, 9.0, of_features=True)
"""Nine times the objective, as in the code of Kim et al. 2017."""
SPECTRUM = Term(spectrum, 10.0, of_pairs=True, ranks=(1,))
"""A tenth of the weight that L1 has, as in the code of Defossez et al. 2020."""
MEAN_IMAGE = Term(mean_image, 2.56)
"""A hundredth of half the sum of squares over 16 x 128 steps and pitches in [0,1], as in the authors' code."""
