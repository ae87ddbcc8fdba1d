"""The parts of the page, from what the stages wrote: pictures, data, provenance. Figures and curves: figures.py."""

import json
import re
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from stages.common.pictures import grid_scale
from stages.reporting import figures
from stages.reporting.inputs import Inputs, Made, Picture
from stages.reporting.words import count, number

_FRAMES = 24  # grids over time that the page carries; more show no more
_FRAME_BYTES = 12_000_000  # of all of them: fewer large ones, so that the page stays light
_CLASSES = 20  # classes shown before the rest is folded away
_TALL = 900  # pixels on the screen, beyond which a grid scrolls in its own box
_SEEN_WELL, _JUST_SEEN = 64, 24  # pixels on the screen for one image: at most where it is small, at least
_PLOT_READ = 300  # pixels on the screen, below which a plot cannot be read
_LONG = 160  # characters of an observed value


@dataclass(frozen=True)
class Sheet:
    """A grid of pictures, how wide to show it, and the names of its rows where they are known."""

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


@dataclass(frozen=True)
class ClassBar:
    """Images of one class; the widths are shares of the largest class."""

    name: str
    train: int
    holdout: int
    train_width: float
    holdout_width: float


def build_page(inputs: Inputs, title: str) -> dict[str, Any]:
    """All that the template shows, by name."""
    bars = class_bars(inputs)
    return {
        "title": title,
        "inputs": inputs,
        "kind": "points" if inputs.manifest.truth else image_kind(inputs.manifest.shape),
        "points": inputs.manifest.truth is not None,
        "train": inputs.made_by("train"),
        "sample": inputs.made_by("sample"),
        "figures": figures.headline(inputs.selection),
        "absent_figures": figures.absent(inputs),
        "training_charts": figures.training_charts(inputs.curves),
        "quality_charts": figures.quality_charts(inputs),
        "table": figures.checkpoint_table(inputs),
        "cost": figures.cost_of_the_last(inputs.selection),
        "samples": samples_sheet(inputs),
        "nearest": nearest_sheet(inputs),
        "walk": sheet_of(inputs, inputs.walk),
        "frames": frames(inputs),
        "bars": bars[:_CLASSES],
        "more_bars": bars[_CLASSES:],
        "same_data": same_data(inputs),
        "unclean": [made.stage for made in inputs.made if made.git.clean is False],
        "commits": sorted({made.git.commit for made in inputs.made if made.git.commit}),
        "seconds": sum(made.seconds for made in inputs.made),
        "params": params_as_yaml(inputs.made),
    }


def image_kind(shape: tuple[int, int, int]) -> str:
    """A shape `(C,H,W)` in words: 28×28 grey."""
    channels, height, width = shape
    colours = {1: "grey", 3: "RGB"}.get(channels, f"{channels}-channel")
    return f"{width}×{height} {colours}"


def cells(picture: Picture, shape: tuple[int, int, int]) -> tuple[int, int] | None:
    """Columns and rows of a picture that `pictures.grid` drew of images of this shape; None if it did not."""
    _, height, width = shape
    scale = grid_scale(height, width)
    columns, over = divmod(picture.width + scale, (width + 1) * scale)
    rows, under = divmod(picture.height + scale, (height + 1) * scale)
    return None if over or under else (columns, rows)


def sheet(picture: Picture, shape: tuple[int, int, int], names: list[str] | None = None) -> Sheet:
    """A grid, small images made larger by a whole factor; more rows than names have no names."""
    drawn = shape[2] * grid_scale(*shape[1:])
    width = picture.width * max(1, _SEEN_WELL // drawn)
    columns, rows = cells(picture, shape) or (width // _SEEN_WELL, 0)
    shown = names[:rows] if names and 0 < rows <= len(names) else None
    return Sheet(picture, width, min(width, _JUST_SEEN * columns), shown)


def sheet_of(inputs: Inputs, picture: Picture, names: list[str] | None = None) -> Sheet:
    """A grid of the images, or, of points, a plot as it is."""
    if inputs.manifest.truth is not None:
        return Sheet(picture, picture.width, min(picture.width, _PLOT_READ), None)
    return sheet(picture, inputs.manifest.shape, names)


def samples_sheet(inputs: Inputs) -> Sheet:
    """The sample grid: a row a class, of the first of the classes that were asked for."""
    classes, sample = inputs.manifest.classes, inputs.made_by("sample")
    if classes is None or not inputs.conditional:
        return sheet_of(inputs, inputs.samples)
    asked = (sample.params.get("classes") if sample else None) or range(len(classes))
    names = [classes[label] for label in asked if label < len(classes)]
    return sheet_of(inputs, inputs.samples, names)


def nearest_sheet(inputs: Inputs) -> Sheet:
    return sheet_of(inputs, inputs.nearest, ["real", "generated", "nearest real"])


def frames(inputs: Inputs) -> list[Frame]:
    """Grids over time, evenly spaced where there are many; the first, the selected and the last are always there."""
    images = [seen for seen, _ in inputs.frames]
    selected = images.index(inputs.selection.images) if inputs.selection.images in images else None
    limit = min(_FRAMES, max(3, _FRAME_BYTES // max(len(picture.png) for _, picture in inputs.frames)))
    chosen = spaced(len(images), limit, selected)
    told = figures.frame_figures(inputs)
    return [
        Frame(seen, sheet_of(inputs, picture), told.get(seen), index == selected)
        for index, (seen, picture) in enumerate(inputs.frames)
        if index in chosen
    ]


def spaced(length: int, limit: int, keep: int | None) -> set[int]:
    """At most `limit` indices below `length`, evenly spaced, with both ends and `keep`."""
    if length <= limit:
        return set(range(length))
    chosen = {round(i * (length - 1) / (limit - 2)) for i in range(limit - 1)}
    return chosen if keep is None else chosen | {keep}


def class_bars(inputs: Inputs) -> list[ClassBar]:
    """Images a class, in the order of the labels; empty without classes."""
    manifest = inputs.manifest
    if manifest.classes is None or manifest.class_counts is None:
        return []
    train, holdout = (manifest.class_counts.get(split, {}) for split in ("train", "holdout"))
    pairs = [(name, train.get(name, 0), holdout.get(name, 0)) for name in manifest.classes]
    most = max((a + b for _, a, b in pairs), default=0) or 1
    return [ClassBar(name, a, b, round(100 * a / most, 2), round(100 * b / most, 2)) for name, a, b in pairs]


def same_data(inputs: Inputs) -> bool | None:
    """Whether the training read the data that the manifest describes; None where it did not record it."""
    train = inputs.made_by("train")
    if train is None or train.data_fingerprint is None:
        return None
    return train.data_fingerprint == inputs.manifest.fingerprint


def params_as_yaml(made: list[Made]) -> str:
    """The params that each stage recorded, as they would stand in `params.yaml`."""
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    text = StringIO()
    yaml.dump({one.stage: one.params for one in made}, text)
    return without_secrets(text.getvalue())


def without_secrets(text: str) -> str:
    """URLs without what may open a door: a user's name and password, a signed query."""
    text = re.sub(r"(\w+://)[^/@\s]*@", r"\1(hidden)@", text)
    return re.sub(r"(\w+://[^\s?]*)\?\S+", r"\1?(hidden)", text)


def judged(value: Any, unit: str | None) -> str:
    """What the gate observed, or its limit, in its unit."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return plain(value)
    if unit == "share":
        return f"{number(100 * value)}%"
    if unit == "exceptions":
        return f"{count(int(value))} exception{'' if value == 1 else 's'}" if value else "no exceptions"
    return plain(value)


def plain(value: Any) -> str:
    """An observed value or a limit in a few words; any JSON."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return count(value)
    if isinstance(value, float):
        return number(value)
    if isinstance(value, list):
        text = ", ".join(plain(item) for item in value)
    elif isinstance(value, dict):
        text = ", ".join(f"{key}: {plain(item)}" for key, item in value.items())
    else:
        text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONG else text[: _LONG - 1] + "…"
