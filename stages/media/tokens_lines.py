"""Lines as PNG, one below the other, in Pillow's own font; characters that it lacks are boxes."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from mintage.players import Generator
from mintage.sampling import samples
from stages.common.pictures import cut, encode_png
from stages.common.split import Numbers, Split
from stages.media.drawings import Drawings, Judge
from stages.media.medium import Medium

_LINES, _BESIDE = 30, 12
_SIZE, _HEIGHT, _MARGIN = 14, 20, 8
_LEAST, _WIDEST = 300, 1_100
"""Least and most width of a picture in pixels; longer lines are cut."""
_INK, _QUIET = 28, 120


class Lines(Drawings):
    """Pictures of lines, with the text as it would be written to a file."""

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
        return _draw_blocks([("", self._texts(self._made(generator, _LINES, seed)))])

    def draw_beside(self, generator: Generator, holdout: Split, order: Numbers, seed: int) -> bytes:
        """Equally many lines of both."""
        held = self._texts(torch.from_numpy(holdout.take(order[:_BESIDE])))
        return _draw_blocks([("held out", held), ("generated", self._texts(self._made(generator, len(held), seed)))])

    def draw_rows(self, rows: Tensor) -> bytes:
        """A block for each row."""
        return _draw_blocks([(str(number), self._texts(row)) for number, row in enumerate(rows, 1)])

    def _made(self, generator: Generator, count: int, seed: int) -> Tensor:
        return torch.cat([made for made, _ in samples(generator, count, seed, None)])

    def _texts(self, lines: Tensor) -> list[str]:
        return [self._medium.encode(line)[0].decode() for line in lines.numpy()]


def _draw_blocks(blocks: Iterable[tuple[str, list[str]]]) -> bytes:
    """Texts below each other, each block under its name."""
    font = ImageFont.load_default(_SIZE)
    rows: list[tuple[str, int]] = []
    for name, texts in blocks:
        rows += [("", _INK)] * bool(rows) + ([(name, _QUIET)] if name else [])
        rows += [(cut(text, font, _WIDEST - 2 * _MARGIN), _INK) for text in texts]
    width = max([_LEAST, *(round(font.getlength(text)) + 2 * _MARGIN for text, _ in rows)])
    sheet = Image.new("L", (width, len(rows) * _HEIGHT + 2 * _MARGIN), 255)
    draw = ImageDraw.Draw(sheet)
    for number, (text, ink) in enumerate(rows):
        draw.text((_MARGIN, _MARGIN + number * _HEIGHT), text, fill=ink, font=font)
    return encode_png(np.asarray(sheet)[None])
