"""One Gaussian on a line: what figure 1 of Goodfellow et al. 2014 shows, where the best discriminator is known."""

from stages.common.params import Ingest
from stages.media.points import Points
from stages.sources import Source
from stages.sources.mixture import MixtureOptions, mixture

Options = MixtureOptions
READS_PATH = False
MEDIUM = Points([[1.0]], std=0.5, scale=4.0)


def read(_: Ingest, options: MixtureOptions) -> Source:
    return mixture("gaussian", MEDIUM, options)
