"""The data of the explorer on a release's page: the generators, what they take, and pictures to begin with."""

import base64
import gzip
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from mintage.attribute_names import groups_of
from stages.common.levels import Levels, in_range
from stages.gallery.mixing import with_weights
from stages.gallery.sheets import as_strip, row_of, shrunk
from stages.media.medium import Medium
from stages.reporting.facts import Heard
from stages.reporting.selection import PairsToldApart

GENERATOR, BACK = "generator.onnx", "back.onnx"
MOST_BYTES = 16_000_000
"""Size of a generator, at most: readers of a page would wait for a larger one."""

Read = Callable[[str], bytes | None]
Way = Literal["noise", "drawing", "lengths", "rows"]
"""What samples are made from: noise; a drawing or a picture; a sample of any length; the samples before, in a row."""
_MOST_BEGINNINGS = 6


class Taken(BaseModel):
    """What a generator takes and makes, by its config.json."""

    model_config = ConfigDict(frozen=True)

    image_shape: tuple[int, ...]
    latent_size: int = 0
    latent_distribution: str = "normal"
    code_categories: int = 0
    code_continuous: int = 0
    classes: tuple[str, ...] | None = None
    generator_conditioning: str = "none"
    generator_normalization: str = "none"
    attributes: tuple[str, ...] | None = None
    source_shape: tuple[int, ...] | None = None
    """Without the channels that hold attributes (`mintage.players.ModelConfig.bare_source_shape`)."""
    domains: tuple[str, str] | None = None
    vocabulary: tuple[str, ...] | None = None

    @field_validator("source_shape")
    @classmethod
    def _without_attributes(cls, shape: tuple[int, ...] | None, known: ValidationInfo) -> tuple[int, ...] | None:
        if shape is None:
            return None
        channels, *sides = shape
        return channels - len(known.data.get("attributes") or ()), *sides

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes that can be asked for; as `mintage.players.ModelConfig.conditional`."""
        by_label = self.generator_conditioning != "none" and self.source_shape is None and self.attributes is None
        return (self.classes or ()) if by_label else ()

    @property
    def groups(self) -> dict[str, list[int]]:
        return groups_of(self.attributes or ())

    @property
    def fills(self) -> bool:
        """Whether the source has a mask of what is missing; as `mintage.sources.has_mask`."""
        channels, *sides = self.image_shape
        return self.source_shape == (channels + 1, *sides)

    @property
    def drawable_shape(self) -> tuple[int, int, int] | None:
        """(S, h, w) of the channels of a source that can be drawn: all but a mask."""
        if self.source_shape is None:
            return None
        channels, height, width = self.source_shape
        return channels - self.fills, height, width


@dataclass(frozen=True)
class Explorer:
    """The explorer of one release."""

    taken: Taken
    medium: Medium
    view: str
    """The script that shows samples in a browser (`Medium.view`)."""
    generators: dict[str, bytes]
    """ONNX files by name: `generator`, and for a model between two domains `back`."""
    mixes: bool
    """Whether the input `labels` has a weight for each class, in place of one class."""
    white: bool
    """Whether a drawing begins with white paper, as edges do."""
    strips: dict[str, str]
    """Data URIs of ten pictures each: `sources` to begin with; `real` and `made` ones, for readers to tell apart."""
    judged: PairsToldApart | None
    """How often the discriminator told them apart."""
    beginnings: Sequence[Mapping[str, str]] = ()
    """Held-out sources to begin with, of samples of any length or in a row: a `title`, packed float32 `values`."""

    @property
    def way(self) -> Way:
        return _way(self.taken, self.medium)

    @property
    def given(self) -> tuple[int, ...] | None:
        """The shape of the source that a reader gives."""
        return self.taken.drawable_shape if self.way == "drawing" else self.taken.source_shape

    def script(self) -> str:
        """The script that the page loads: all of this as one constant, which a page on a disk can load, too; and the
        view.
        """
        taken = self.taken
        facts = {
            "shape": taken.image_shape,
            "medium": dict(self.medium.to_show()),
            "words": {"one": self.medium.words.one, "many": self.medium.words.many},
            "latents": {
                "size": taken.latent_size,
                "distribution": taken.latent_distribution,
                "categories": taken.code_categories,
                "numbers": taken.code_continuous,
            },
            "classes": taken.labels,
            "mixes": self.mixes,
            "attributes": taken.attributes or (),
            "way": self.way,
            "source": taken.source_shape and {"shape": self.given, "fills": taken.fills, "white": self.white},
            "beginnings": self.beginnings,
            "strips": self.strips,
            "pictured": _pictured(taken, self.medium),
            "judged": self.judged and {"pairs": self.judged.pairs, "share": self.judged.share},
            "generators": {name: packed(content) for name, content in self.generators.items()},
        }
        return f"const RELEASE = {json.dumps(facts)};\n{self.view}"


@dataclass(frozen=True)
class Known:
    """What a release says of its generator outside of config.json."""

    medium: Medium
    partner: object = None
    """How sources were made from images (`normalize.partner`), if its params say so."""
    judged: PairsToldApart | None = None
    """What select measured of its discriminator."""


def explorer_of(read: Read, sizes: Mapping[str, int], config: Mapping[str, Any], known: Known) -> Explorer | str:
    """The explorer of a release, or a sentence on why it has none, empty if there could be none for such a model.

    Args:
        read: Returns a file of the release by its path, or None.
        sizes: The sizes of its files in bytes, by path.
        config: Its config.json.
        known: What it says beside.
    """
    medium = known.medium
    names = [name for name in (GENERATOR, BACK) if name in sizes]
    try:
        taken = Taken.model_validate(config)
    except ValidationError:
        return ""
    view = _view_of(taken, medium)
    if GENERATOR not in names or view is None:
        joined = taken.source_shape is not None and _joined(taken) > 1
        return "It is given several pictures at once, which nobody could draw here." if joined else ""
    if (largest := max(sizes[name] for name in names)) > MOST_BYTES:
        return f"It has {largest / 1e6:.0f} MB, more than a page is given ({MOST_BYTES / 1e6:.0f} MB)."
    generators = {name.removesuffix(".onnx"): content for name in names if (content := read(name)) is not None}
    mixing = with_weights(generators["generator"], len(taken.labels)) if len(taken.labels) > 1 else None
    if mixing is not None:
        generators["generator"] = mixing
    strips, white = _strips(read, taken, medium), known.partner == "edges"
    begins = {"lengths": _beginnings, "rows": _clips if medium.of_pictures else _beginnings}
    beginnings = list(found(read, taken, medium)) if (found := begins.get(_way(taken, medium))) else []
    return Explorer(taken, medium, view, generators, mixing is not None, white, strips, known.judged, beginnings)


def _way(taken: Taken, medium: Medium) -> Way:
    if taken.source_shape is None:
        return "noise"
    if medium.row is not None:
        return "rows"
    return "drawing" if medium.of_pictures else "lengths"


def _joined(taken: Taken) -> int:
    """How many pictures, or samples in a row, a source joins; 0 if its shape is not that of such samples."""
    channels, *sides = taken.image_shape
    of_source, *others = taken.source_shape or (0,)
    return 0 if others != sides or of_source % channels else of_source // channels


def _view_of(taken: Taken, medium: Medium) -> str | None:
    """The script of the view; None if a browser cannot show the samples, or let readers draw their sources."""
    way = _way(taken, medium)
    given = taken.drawable_shape if way == "drawing" else taken.source_shape if way == "lengths" else None
    try:
        views = [medium.view(medium.check_shape(shape)) for shape in (taken.image_shape, given) if shape is not None]
    except ValueError:
        return None
    if way in ("lengths", "rows") and (not _joined(taken) or taken.domains):
        return None
    if way == "lengths" and (len(taken.image_shape) > 2 or taken.image_shape[0] > 1 or _joined(taken) > 1):
        return None  # the page joins windows of one side and one channel alone
    return views[0] if None not in views else None


def _beginnings(read: Read, taken: Taken, medium: Medium) -> Iterator[dict[str, str]]:
    """The sources in plots/heard, which the release has beside their translations."""
    try:
        heard = Heard.model_validate_json(read("plots/heard/heard.json") or b"{}")
    except ValidationError:
        return
    for row in heard.rows[:_MOST_BEGINNINGS]:
        sound, picture = (read(f"plots/heard/{row.files[0]}.{suffix}") for suffix in ("wav", "png"))
        if sound is None or picture is None:
            continue
        sample = medium.heard_again(sound, picture, taken.image_shape)
        if sample is not None and sample.min() < sample.max():  # silence is no beginning
            yield {"title": row.title, "values": packed(np.ascontiguousarray(sample, "<f4").tobytes())}


def _clips(read: Read, taken: Taken, _: Medium) -> Iterator[dict[str, str]]:
    """The past frames in plots/samples.png: the latest in the first row, those before it below the truth."""
    sheet = read("plots/samples.png")
    places = (0, *range(3, 2 + _joined(taken)))
    rows = [row_of(sheet, taken.image_shape, place) for place in places] if sheet else []
    known = [row for row in rows if row is not None]
    if known and len(known) == len(rows):
        for number, frames in enumerate(np.stack(known, 1)[:_MOST_BEGINNINGS], 1):
            values = np.ascontiguousarray(in_range(frames), "<f4")
            yield {"title": f"clip {number}", "values": packed(values.tobytes())}


def packed(content: bytes) -> str:
    """The content, gzipped and in base64, as a script can hold it; always the same for the same content."""
    return base64.b64encode(gzip.compress(content, mtime=0)).decode()


def _pictured(taken: Taken, medium: Medium) -> tuple[int, ...]:
    """The shape `(C,H,W)` of pictures in the strips; data that are no pictures are drawn in color (`Medium.pixels`)."""
    if medium.of_pictures:
        return taken.image_shape
    return 3, *medium.cell(taken.image_shape)


def _strips(read: Read, taken: Taken, medium: Medium) -> dict[str, str]:
    way = _way(taken, medium)
    if medium.plots is not None or (way in ("lengths", "rows") and not medium.of_pictures):
        return {}  # they have no sheet of pictures side by side
    rows = _of_translations(read, taken) if taken.source_shape else _of_noise(read, _pictured(taken, medium))
    return {name: as_strip(images) for name, images in rows.items() if images is not None}


def _of_noise(read: Read, shape: tuple[int, ...]) -> dict[str, Levels | None]:
    """The first rows of plots/nearest.png: held-out images, and generated ones of the same classes or attributes."""
    sheet = read("plots/nearest.png")
    if sheet is None:
        return {}
    return {name: row_of(sheet, shape, row) for row, name in enumerate(("real", "made"))}


def _of_translations(read: Read, taken: Taken) -> dict[str, Levels | None]:
    """Rows of plots/samples.png: sources, translations and truths; between domains the sources of both directions."""
    sheet = read("plots/samples.png")
    names = {0: "sources", 3: "sources_back"} if taken.domains else {0: "sources", 1: "made", 2: "real"}
    rows = {name: row_of(sheet, taken.image_shape, row) for row, name in names.items()} if sheet else {}
    if taken.fills:  # the sheet does not show which pixels are missing: readers make holes in the whole picture
        rows["sources"] = rows.get("real")
    if _joined(taken) > 1:  # frames, which no reader draws
        return {name: row for name, row in rows.items() if name != "sources"}
    assert taken.drawable_shape is not None
    sources = {
        name: shrunk(row, taken.drawable_shape) for name, row in rows.items() if row is not None and "sources" in name
    }
    return rows | sources
