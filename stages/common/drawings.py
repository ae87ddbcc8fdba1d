"""What a generator makes, as a PNG: a grid of pictures, or, where the data are points, a plot of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from mintage.players import Generator
from mintage.sampling import asked_rows, samples
from stages.common.levels import to_uint8
from stages.common.model import sample_grid
from stages.common.pictures import TRANSLATED, encode_png, grid, grid_scale, with_names
from stages.common.points import to_coordinates
from stages.common.reading import Sources
from stages.common.split import Split
from stages.common.truth import Truth

if TYPE_CHECKING:
    from stages.common.plots import Judge

POINTS = 2500
"""As many as PacGAN measures."""


def draw_samples(
    generator: Generator,
    seed: int,
    truth: Truth | None,
    asked: Sequence[int] | Tensor | None = None,
    judge: "Judge | None" = None,
    *,
    names: Sequence[str] = (),
) -> bytes:
    """The samples of the same latents each time; of points also D(x), where `judge` gives it.

    A grid has the `names` of its rows at the left, where they are given.
    """
    if truth is None:
        sheet = sample_grid(generator, seed, asked)
        return encode_png(with_names(sheet, names) if names else sheet)
    from stages.common.plots import points_plot

    assert not isinstance(asked, Tensor), "points have classes at most"
    return points_plot(points_of(generator, seed, truth, asked), truth, judge)


COLUMNS = 10


def draw_translations(generator: Generator, seed: int, split: Split) -> bytes:
    """The same pairs of a split each time: source, translation and truth below each other, and again for ten more."""
    columns = min(COLUMNS, len(split))
    numbers = asked_rows(len(split), 2 * columns if len(split) >= 2 * columns else columns, seed)
    sources, truths = Sources(split, numbers), torch.from_numpy(split.take(numbers.numpy()))
    made = [(images, asked) for images, asked in samples(generator, len(numbers), seed, sources)]
    translated, shown = (torch.cat([part for part in parts if part is not None]) for parts in zip(*made, strict=True))
    rows = torch.stack(
        [part.view(-1, columns, *part.shape[1:]) for part in (shown, translated, truths)], dim=1
    ).flatten(0, 2)
    sheet = grid(to_uint8(rows.numpy()), columns, grid_scale(*rows.shape[2:]))
    return encode_png(with_names(sheet, TRANSLATED * (len(rows) // (3 * columns))))


def points_of(
    generator: Generator, seed: int, truth: Truth, classes: Sequence[int] | None = None, count: int = POINTS
) -> Tensor:
    """Generated points `[count,D]` in the truth's units; of the classes in turn, where the model has classes."""
    asked = (classes or range(generator.config.class_count)) if generator.config.conditional else None
    return to_coordinates(torch.cat([images for images, _ in samples(generator, count, seed, asked)]), truth)
