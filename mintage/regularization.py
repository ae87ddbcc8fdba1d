"""What the generator learns beside, or in place of, the objective."""

import torch
from torch import Tensor, nn

from mintage import processes
from mintage.normalization import Modulation


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


def overlap_of_filters(network: nn.Module) -> Tensor:
    """The sum over weights W of |W W^T without its diagonal|^2: orthogonal regularization (Brock et al. 2019, eq. 3).

    It lets rows be of any length, and asks that they point in other directions. What a condition modulates is left
    out, as an embedding is in the authors' code.
    """
    overlaps = []
    for layer in network.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and not isinstance(layer, Modulation):
            rows = layer.weight.flatten(1)
            products = rows @ rows.T
            overlaps.append((products - torch.diag(products.diagonal())).square().sum())
    return torch.stack(overlaps).sum()
