"""Pictures of a generator's samples: a grid with a sample in each cell, or a medium's own plots."""

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

import torch
from torch import Tensor

from mintage.metrics.pairs import absolute_error
from mintage.model_config import ModelConfig
from mintage.players import Generator
from mintage.sampling import asked_rows, images_of, latents_of, samples
from mintage.sources import for_display, maps_in, untouched
from stages.common.levels import Levels
from stages.common.pictures import (
    PAIRED_ROWS,
    encode_png,
    grid,
    grid_scale,
    rows_of_blocks,
    rows_of_directions,
    rows_of_pairs,
    rows_of_translations,
    with_names,
)
from stages.common.reading import Chosen, Sources
from stages.common.split import Numbers, Split
from stages.media.medium import Medium

COLUMNS = 10
_ROWS = 10

Judge = Callable[[Tensor], Tensor | None]
"""D(x) `[N]` for samples `[N,C,*S]`; None if the discriminator gives no probability."""


class Drawings(Protocol):
    """How a medium's samples are drawn, as PNG with the same bytes each time."""

    def __init__(self, medium: Medium) -> None: ...

    def draw_samples(
        self,
        generator: Generator,
        seed: int,
        asked: Sequence[int] | Tensor | None = None,
        judge: Judge | None = None,
        *,
        names: Sequence[str] = (),
    ) -> bytes:
        """Samples from the same latents each time, with the classes or attributes `[N,K]` in `asked` in turn.

        A grid has the `names` of its rows at the left, if given; a plot may show the result of `judge`.
        """

    def draw_beside(self, generator: Generator, holdout: Split, order: Numbers, seed: int) -> bytes | None:
        """Samples of the holdout, the first ones in `order`, and generated ones side by side.

        None if the medium is drawn in grids, which show both separately.
        """

    def draw_rows(self, rows: Tensor) -> bytes:
        """Samples `[R,S,C,*sides]`, a row for each experiment, filled up with NaN if a row is shorter."""


def drawings_of(medium: Medium) -> Drawings:
    """The `Drawings` of a medium, imported now."""
    module, _, attribute = medium.drawings.partition(":")
    found: type[Drawings] = getattr(import_module(module), attribute)
    return found(medium)


class Grids(Drawings):
    """Grids with a sample in each cell, as `Medium.pixels` shows it."""

    def __init__(self, medium: Medium) -> None:
        self._medium = medium

    def draw_samples(
        self,
        generator: Generator,
        seed: int,
        asked: Sequence[int] | Tensor | None = None,
        judge: Judge | None = None,
        *,
        names: Sequence[str] = (),
    ) -> bytes:
        """A grid of ten columns.

        If the model has classes, each row is a class: the first ten of those in `asked`, or of all. If it has an
        information code, each row is a category. If one latent gives an image of each of two domains, every two rows
        have both images, one below the other.
        """
        if generator.config.couples:
            return encode_png(with_names(*_drawn_pairs(self._medium, generator, seed)))
        wanted: list[int] | Tensor | None = asked if isinstance(asked, Tensor) else None
        if not isinstance(asked, Tensor):
            rows = rows_of_grid(generator.config, asked)
            wanted = [label for label in rows for _ in range(COLUMNS)] or None
        count = len(wanted) if isinstance(wanted, list) else COLUMNS * 6
        made = torch.cat([images for images, _ in samples(generator, count, seed, wanted)])
        sheet = draw_grid(self._medium, made, COLUMNS)
        return encode_png(with_names(sheet, names) if names else sheet)

    def draw_beside(self, generator: Generator, holdout: Split, order: Numbers, seed: int) -> None:
        return None

    def draw_rows(self, rows: Tensor) -> bytes:
        """The rows below each other, white where a row is shorter."""
        flat = rows.flatten(0, 1)
        pixels = self._medium.pixels(flat.nan_to_num(1.0).numpy())
        pixels[flat.flatten(1).isnan().any(1).numpy()] = 255
        return encode_png(grid(pixels, rows.shape[1], grid_scale(*pixels.shape[2:])))


def _drawn_pairs(medium: Medium, generator: Generator, seed: int) -> tuple[Levels, list[str]]:
    """Rows of both domains in turn, with images of the same latent below each other; and the rows' names."""
    rows = []
    for first in range(0, COLUMNS * PAIRED_ROWS, COLUMNS):
        latents = latents_of(generator.config, seed, range(first, first + COLUMNS))
        rows += [images_of(generator, latents, [domain]) for domain in (0, 1)]
    names = rows_of_pairs(generator.config.domains or ())
    return draw_grid(medium, torch.cat(rows), COLUMNS), names


def rows_of_grid(config: ModelConfig, classes: Sequence[int] | None = None) -> list[int]:
    """The class of each row of a grid, or the category of the information code; empty if the model has neither."""
    kinds = config.class_count if config.conditional else config.code_categories
    return list(classes or range(kinds))[:_ROWS]


def draw_grid(medium: Medium, images: Tensor, columns: int) -> Levels:
    """Samples `[N,C,*S]` in a grid with so many columns; small samples are enlarged."""
    pixels = medium.pixels(images.numpy())
    return grid(pixels, columns, grid_scale(*pixels.shape[2:]))


def draw_translations(medium: Medium, generator: Generator, seed: int, split: Split, *, judged: int = 0) -> bytes:
    """The same pairs of a split each time: source, translation and target below each other.

    If it looks different, the untouched source (`mintage.sources.untouched`) is below these. Then come ten more pairs;
    or, with `judged`, of that many pairs those whose translations are nearest to their targets by L1, and those that
    are farthest. For two domains without pairs it is the same images of each: source, translation, and the translation
    translated back.
    """
    if generator.directions:
        return _draw_directions(medium, generator, seed, split)
    columns = min(COLUMNS, len(split))
    shown = 2 * columns if len(split) >= 2 * columns else columns
    numbers = asked_rows(len(split), max(shown, min(judged, len(split))), seed)
    sources, targets = Sources(split, numbers), torch.from_numpy(split.take(numbers.numpy()))
    made = [(images, asked) for images, asked in samples(generator, len(numbers), seed, sources)]
    translated, given = (torch.cat([part for part in parts if part is not None]) for parts in zip(*made, strict=True))
    order = absolute_error(translated, targets).argsort(stable=True)
    first = torch.arange(shown)
    chosen = torch.cat([first[:columns], order[:columns], order[-columns:].flip(0)]) if judged else first
    translated, given, targets = translated[chosen], generator.config.bare(given)[chosen], targets[chosen]
    names = rows_of_translations(targets.shape[1:], given.shape[1:], medium.joins)
    maps = maps_in(given.shape[1:], split.shape)
    last = torch.split(given, split.shape[0], 1)[1:] if maps else [untouched(given, split.shape)]
    kinds = [for_display(given, split.shape), translated, targets, *last][: len(names)]
    rows = torch.stack([kind.view(-1, columns, *kind.shape[1:]) for kind in kinds], dim=1).flatten(0, 2)
    sheet = draw_grid(medium, rows, columns)
    named = rows_of_blocks(names) if judged else names * (shown // columns)
    return encode_png(with_names(sheet, named))


def _draw_directions(medium: Medium, generator: Generator, seed: int, split: Split) -> bytes:
    """Translations in both directions, below each other."""
    others = {to: split.of_other_domain(to) for to in generator.directions}
    columns = min(COLUMNS, *map(len, others.values()))
    rows = []
    for to, other in others.items():
        back = next(one for name, one in generator.directions.items() if name != to)
        sources = Chosen(other, asked_rows(len(other), columns, seed))[torch.arange(columns)]
        made = torch.cat([images for images, _ in samples(generator.directions[to], columns, seed, sources)])
        returned = torch.cat([images for images, _ in samples(back, columns, seed, made)])
        rows += [sources, made, returned]
    sheet = draw_grid(medium, torch.cat(rows), columns)
    return encode_png(with_names(sheet, rows_of_directions(list(generator.directions)[::-1])))
