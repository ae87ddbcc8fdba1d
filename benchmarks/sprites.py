"""Pairs of game sprites: an outfit seen from one side, a map of where it is to go, and the outfit seen from there.

`python -m benchmarks.sprites SPRITES.zip FOLDER` writes what `ingest.pairs` reads: FOLDER/truth, FOLDER/source and
FOLDER/map, each with train and test, which have no outfit in common. SPRITES.zip holds PNG with alpha as
`OUTFIT/VIEW.png` (a view is a direction and a pose), the same views of each, and a table `sprites.csv` lies beside it,
with the columns file, outfit, sex, direction and split. The lowest outfit of each sex is the bare figure: its pictures
are the maps of that sex, and no pairs are made of it. Half of what is to be learned from is dyed, source and
truth of a pair alike, since eighteen outfits could be learned by heart.
"""

import csv
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.options import natural
from stages.common.errors import run_stage
from stages.common.stage import parser_of

_GROUND = 128
_MARGIN = 8
"""Columns without a figure, left and right."""
_DYED = 0.5
"""Share of the training pairs that are dyed."""
_WEAKEST, _STRONGEST = 0.6, 1.6
"""Range of a dye's strength in each channel."""
Picture = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Outfit:
    """A figure in its clothes, from all sides."""

    name: str
    sex: str
    held_out: bool
    smaller: int
    sprites: dict[str, Picture] = field(default_factory=dict)
    """Sprites `[H,W,4]` by direction and pose."""

    @cached_property
    def views(self) -> dict[str, Picture]:
        """The pictures `[h,w,3]` on gray."""
        return {view: over_gray(sprite.astype(np.float64), self.smaller) for view, sprite in self.sprites.items()}

    def dyed(self, view: str, order: list[int], strength: Values) -> Picture:
        """A picture with its color channels in another order, and stronger or weaker."""
        sprite = self.sprites[view].astype(np.float64)
        sprite[..., :3] = (sprite[..., order] * strength).clip(0, 255)
        return over_gray(sprite, self.smaller)


@dataclass(frozen=True)
class Pair:
    """An outfit in one view, the bare figure in a second view, and the outfit in the second view; by folder."""

    outfit: Outfit
    before: str
    after: str
    pictures: dict[str, Picture]


def over_gray(sprite: Values, smaller: int) -> Picture:
    """A sprite `[H,W,4]` on gray, `[h,w,3]`, without its margins."""
    sprite = sprite[:, _MARGIN:-_MARGIN]
    share = sprite[..., 3:] / 255
    shown: Picture = (sprite[..., :3] * share + _GROUND * (1 - share)).round().astype(np.uint8)
    return np.asarray(Image.fromarray(shown).reduce(smaller))


def read_sprites(path: Path, smaller: int = 1) -> list[Outfit]:
    """Every outfit, in the order of names; pictures are `smaller` times smaller."""
    found: dict[str, Outfit] = {}
    with zipfile.ZipFile(path) as packed, open(path.with_name("sprites.csv"), encoding="utf-8") as table:
        for row in csv.DictReader(table):
            new = Outfit(row["outfit"].zfill(3), row["sex"], row["split"] == "test", smaller)
            with Image.open(io.BytesIO(packed.read(row["file"])), formats=["PNG"]) as image:
                found.setdefault(new.name, new).sprites[Path(row["file"]).stem] = np.asarray(image.convert("RGBA"))
    return [found[name] for name in sorted(found)]


def bare_figures(outfits: list[Outfit]) -> dict[str, Outfit]:
    """The bare figures, by sex."""
    return {one.sex: one for one in reversed(outfits)}


def pairs_of(outfits: list[Outfit], each: int, seed: int) -> Iterator[Pair]:
    """`each` pairs of every outfit except the bare figures: two views of different directions, drawn by the seed."""
    bare, random = bare_figures(outfits), np.random.default_rng(seed)
    for outfit in outfits:
        if outfit is bare[outfit.sex]:
            continue
        views, made = sorted(outfit.sprites), 0
        while made < each:
            before, after = (views[number] for number in random.integers(len(views), size=2))
            if before.partition("-")[0] == after.partition("-")[0]:
                continue
            made += 1
            both = {"truth": outfit.views[after], "source": outfit.views[before]}
            if not outfit.held_out and random.uniform() < _DYED:
                dye = random.permutation(3).tolist(), random.uniform(_WEAKEST, _STRONGEST, 3)
                both = {"truth": outfit.dyed(after, *dye), "source": outfit.dyed(before, *dye)}
            yield Pair(outfit, before, after, both | {"map": bare[outfit.sex].views[after]})


def main() -> None:
    parser = parser_of("benchmarks.sprites", __doc__)
    parser.add_argument("sprites", type=Path, metavar="SPRITES.zip")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--each", type=natural, default=400, help="pairs of an outfit")
    parser.add_argument("--smaller", type=natural, default=2, help="so many times smaller than the sprites")
    parser.add_argument("--seed", type=int, default=0, help="which pairs")
    arguments = parser.parse_args()
    for pair in pairs_of(read_sprites(arguments.sprites, arguments.smaller), arguments.each, arguments.seed):
        side = "test" if pair.outfit.held_out else "train"
        for kind, picture in pair.pictures.items():
            folder = arguments.folder / kind / side
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(folder / f"{pair.outfit.name}_{pair.before}_{pair.after}.png")


if __name__ == "__main__":
    run_stage(main)
