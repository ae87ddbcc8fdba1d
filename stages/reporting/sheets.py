"""Pictures on the page: how large each is shown, the names of its rows, and which of many are included."""

import io
from dataclasses import dataclass, replace

from PIL import Image

from stages.common.marks import mark_in, with_mark
from stages.common.pictures import (
    encoded,
    grid_scale,
    rows_of_blocks,
    rows_of_directions,
    rows_of_pairs,
    rows_of_translations,
)
from stages.media.medium import Medium
from stages.reporting.inputs import Inputs, Picture
from stages.reporting.measures import frame_figures

_FRAMES = 24  # grids over time on the page; more would show nothing new
_FRAME_BYTES = 12_000_000  # bytes of all of them: fewer if they are large, so that the page stays small
_WIDEST = 1_100  # pixels of a picture on the page, more than its column shows; the file itself keeps all
_TALL = 900  # pixels on the screen; a taller grid scrolls in its own box
_SEEN_WELL, _JUST_SEEN = 64, 24  # pixels on the screen of an image: at most for small ones, and at least
_PLOT_READ = 300  # pixels on the screen; a smaller plot cannot be read
_OF_A_CLASS = 5  # images beside a class's figures
_COLUMNS = 10  # of the sample grid


@dataclass(frozen=True)
class Sheet:
    """A grid of pictures, how wide to show it, and the names of its rows if they are known."""

    picture: Picture
    width: int
    least_width: int
    names: list[str] | None

    @property
    def tall(self) -> bool:
        return self.picture.height * self.width > _TALL * self.picture.width


@dataclass(frozen=True)
class Frame:
    images: int
    sheet: Sheet
    figure: str | None
    selected: bool


def cells(picture: Picture, cell: tuple[int, int]) -> tuple[int, int] | None:
    """Columns and rows of a picture that `pictures.grid` drew of cells `(height, width)`; None if it did not."""
    height, width = cell
    scale = grid_scale(height, width)
    columns, over = divmod(picture.width + scale, (width + 1) * scale)
    rows, under = divmod(picture.height + scale, (height + 1) * scale)
    return None if over or under else (columns, rows)


def sheet(picture: Picture, cell: tuple[int, int], names: list[str] | None = None) -> Sheet:
    """A grid, with small images enlarged by a whole factor; it has no names if there are more rows than names."""
    width = picture.width * max(1, _SEEN_WELL // max(cell)) // grid_scale(*cell)
    columns, rows = cells(picture, cell) or (width // _SEEN_WELL, 0)
    shown = names[:rows] if names and 0 < rows <= len(names) else None
    return Sheet(lighter(picture), width, min(width, _JUST_SEEN * columns), shown)


def lighter(picture: Picture) -> Picture:
    """The picture with its mark, made smaller where it is wider than the page could show."""
    if picture.width <= _WIDEST:
        return picture
    with Image.open(io.BytesIO(picture.png)) as whole:
        height = max(1, round(picture.height * _WIDEST / picture.width))
        smaller = _picture(whole.resize((_WIDEST, height), Image.Resampling.LANCZOS))
    mark = mark_in(picture.png)
    return smaller if mark is None else replace(smaller, png=with_mark(smaller.png, mark))


def sheet_of(inputs: Inputs, picture: Picture, names: list[str] | None = None) -> Sheet:
    return sheet_by(inputs.manifest.medium, inputs.manifest.shape, picture, names)


def sheet_by(medium: Medium, shape: tuple[int, ...], picture: Picture, names: list[str] | None = None) -> Sheet:
    """A grid of images of this shape, or a plot as it is."""
    if medium.plots:
        return Sheet(picture, picture.width, min(picture.width, _PLOT_READ), None)
    return sheet(picture, medium.cell(shape), names)


def samples_sheet(inputs: Inputs) -> Sheet:
    """The sample grid: a row for each of the first classes that were asked for."""
    classes, sample, picture = inputs.manifest.classes, inputs.made_by("sample"), bare_samples(inputs)
    if inputs.couples:
        return sheet_of(inputs, picture, rows_of_pairs(inputs.manifest.domains or []))
    if inputs.manifest.domains:
        return sheet_of(inputs, picture, rows_of_directions(inputs.manifest.domains))
    if inputs.translates:
        shape = inputs.manifest.shape
        names = rows_of_blocks(
            rows_of_translations(shape, inputs.manifest.partner_shape or shape, inputs.manifest.medium.joins)
        )
        return sheet_of(inputs, picture, names)
    if classes is None or not inputs.conditional:
        return sheet_of(inputs, picture)
    asked = (sample.params.get("classes") if sample else None) or range(len(classes))
    names = [classes[label] for label in asked if label < len(classes)]
    return sheet_of(inputs, picture, names)


def bare_samples(inputs: Inputs) -> Picture:
    """The sample grid without the rows' names at its left, which the page writes itself; names of categories stay."""
    if inputs.manifest.medium.plots or not (inputs.conditional or inputs.translates or inputs.couples):
        return inputs.samples
    height, width = inputs.cell
    margin = inputs.samples.width - (_COLUMNS * (width + 1) - 1) * grid_scale(height, width)
    if margin <= 0:
        return inputs.samples
    with Image.open(io.BytesIO(inputs.samples.png)) as whole:
        return _picture(whole.crop((margin, 0, *whole.size)))


def nearest_sheet(inputs: Inputs) -> Sheet:
    domains = inputs.manifest.domains or []
    ways = zip(domains, reversed(domains), strict=True)
    shown = ((to if inputs.couples else other, to) for other, to in ways)
    names = [name for real, to in shown for name in (f"real {real}", f"made {to}", f"nearest {to}")]
    return sheet_of(inputs, inputs.nearest, names or ["real", "generated", "nearest real"])


def frames(inputs: Inputs) -> list[Frame]:
    """Grids over time, evenly spaced if there are many, always with the first, the selected and the last."""
    images = [seen for seen, _ in inputs.frames]
    selected = images.index(inputs.selection.images) if inputs.selection.images in images else None
    limit = min(_FRAMES, max(3, _FRAME_BYTES // max(len(picture.png) for _, picture in inputs.frames)))
    chosen = spaced(len(images), limit, selected)
    figures = frame_figures(inputs)
    return [
        Frame(seen, sheet_of(inputs, picture), figures.get(seen), index == selected)
        for index, (seen, picture) in enumerate(inputs.frames)
        if index in chosen
    ]


def spaced(length: int, limit: int, keep: int | None) -> set[int]:
    """At most `limit` indices below `length`, evenly spaced, with both ends and `keep`."""
    if length <= limit:
        return set(range(length))
    chosen = {round(i * (length - 1) / (limit - 2)) for i in range(limit - 1)}
    return chosen if keep is None else chosen | {keep}


def class_pictures(inputs: Inputs) -> dict[str, Picture]:
    """The first samples of each class with a row in the sample grid, by the class's name."""
    samples = bare_samples(inputs)
    names, grid = samples_sheet(inputs).names, cells(samples, inputs.cell)
    if not names or grid is None:
        return {}
    height, width = inputs.cell
    scale = grid_scale(height, width)
    shown = min(_OF_A_CLASS, grid[0])
    with Image.open(io.BytesIO(samples.png)) as whole:
        tops = [row * (height + 1) * scale for row in range(len(names))]
        boxes = [(0, top, (shown * (width + 1) - 1) * scale, top + height * scale) for top in tops]
        return {name: lighter(_picture(whole.crop(box))) for name, box in zip(names, boxes, strict=True)}


def _picture(image: Image.Image) -> Picture:
    return Picture(encoded(image), *image.size)
