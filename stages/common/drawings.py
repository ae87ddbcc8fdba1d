"""What a generator makes, as a PNG: a grid of pictures, or, where the data are points, a plot of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mintage.players import Generator
from mintage.sampling import samples
from stages.common.model import sample_grid
from stages.common.pictures import encode_png, with_names
from stages.common.points import to_coordinates
from stages.common.truth import Truth

if TYPE_CHECKING:
    from stages.common.plots import Judge

POINTS = 2500
"""As many as PacGAN measures."""


def draw_samples(
    generator: Generator,
    seed: int,
    truth: Truth | None,
    classes: Sequence[int] | None = None,
    judge: "Judge | None" = None,
    *,
    names: Sequence[str] = (),
) -> bytes:
    """The samples of the same latents each time; of points also D(x), where `judge` gives it.

    A grid has the `names` of its rows at the left, where they are given.
    """
    if truth is None:
        sheet = sample_grid(generator, seed, classes)
        return encode_png(with_names(sheet, names) if names else sheet)
    from stages.common.plots import points_plot

    return points_plot(points_of(generator, seed, truth, classes), truth, judge)


def points_of(
    generator: Generator, seed: int, truth: Truth, classes: Sequence[int] | None = None, count: int = POINTS
) -> Tensor:
    """Generated points `[count,D]` in the truth's units; of the classes in turn, where the model has classes."""
    asked = (classes or range(generator.config.class_count)) if generator.config.conditional else None
    return to_coordinates(torch.cat([images for images, _ in samples(generator, count, seed, asked)]), truth)
