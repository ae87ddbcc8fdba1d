"""How many images are copies of training images, by a ratio of distances (Yoon et al. 2023)."""

from torch import Tensor

from gan.metrics.distances import nearest_rows

COPY = 1 / 3
"""The paper's: a copy is at most a third as far from one training image as from any other."""


def memorisation(images: Tensor, train: Tensor) -> float:
    """The share of rows `[N, F]` at most a third as far from the nearest row of `train` `[M, F]` as from the next.

    Each image is held to the density of the data around it. So a generator that makes few, average or blurred
    images is no copier, as it would be by its distances alone, which are short (the rank test of Meehan et al.
    2020): a place between the images is about as far from several. In D dimensions any image is a "copy"
    by chance with a probability of about 3^-D: compare with held-out images. Raises ValueError for fewer than 2 rows.
    """
    if len(train) < 2 or len(images) == 0:
        raise ValueError(f"copies need 2 training images and an image, not {len(train)} and {len(images)}")
    distances, _ = nearest_rows(images, train, 2)
    copied = distances[:, 0] <= COPY**2 * distances[:, 1]
    return copied.double().mean().item()
