"""25 Gaussians on a grid, each of standard deviation 0.05: the 2D-grid of PacGAN (Lin et al. 2018)."""

from itertools import product

from stages.common.params import Ingest
from stages.media.points import Points
from stages.sources import Source
from stages.sources.mixture import MixtureOptions, mixture

_SIDE = (-4.0, -2.0, 0.0, 2.0, 4.0)
Options = MixtureOptions
READS_PATH = False
MEDIUM = Points([list(center) for center in product(_SIDE, _SIDE)], std=0.05, scale=5.0)


def read(_: Ingest, options: MixtureOptions) -> Source:
    return mixture("grid", MEDIUM, options)
