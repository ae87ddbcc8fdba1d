"""Eight Gaussians on a ring of radius 1, each of standard deviation 0.01: the 2D-ring of PacGAN (Lin et al. 2018)."""

import math

from stages.common.params import Ingest
from stages.media.points import Points
from stages.sources import Source
from stages.sources.mixture import MixtureOptions, mixture

_ANGLES = [k * math.pi / 4 for k in range(8)]
Options = MixtureOptions
READS_PATH = False
MEDIUM = Points([[round(math.cos(a), 12) + 0.0, round(math.sin(a), 12) + 0.0] for a in _ANGLES], std=0.01, scale=1.25)


def read(_: Ingest, options: MixtureOptions) -> Source:
    return mixture("ring", MEDIUM, options)
