"""What a medium is: all that the stages must know of a kind of data.

A sample of any medium lies in a tensor `[C,*S]` in [-1,1]: channels, and as many sides as it has, a picture H and W.
So whatever learns need not know which kind it is. A stage never asks which one: it asks a medium what it needs to know.
"""

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mintage.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor

    from stages.common.levels import FloatImages, Levels
    from stages.common.params import Normalize

Shape = tuple[int, ...]
"""(C, *S)."""
Trait = Literal["picture files", "looks", "copies", "brightness", "spectrum", "truncation", "latent pictures"]
"""What images have: files that are pictures, decoded and resized as such; looks, to be compared, checked and shown as
thumbnails; equal ones that are copies, not chance; numbers that are levels; frequencies; a truncation curve; a picture
of every operation on latents."""


class UnusableError(Exception):
    """A file that a medium can make no sample of; the text is the reason, without the file's name."""


@dataclass(frozen=True)
class Decoded:
    """A sample, and what its file was."""

    values: "FloatImages"
    """`[C,*S]` in [-1,1]."""
    kind: str
    """The kind of the file, such as its format."""
    shape: Shape
    """The shape of the file's content; it has as many sides as the sample, 0 for a side that the file lacks."""


@dataclass(frozen=True)
class Words:
    """Words for samples, in the sentences of every stage."""

    one: str = "image"
    a: str = "an image"
    many: str = "images"
    part: str = "pixel"
    """The word for a number of a sample."""
    flat: str = "one flat color"
    """Describes a sample whose numbers are all equal."""

    def said(self, sentence: str) -> str:
        """A sentence about images and pixels, in these words."""
        named = {"an image": self.a, "image": self.one, "images": self.many, "pixel": self.part}

        def in_these(found: re.Match[str]) -> str:
            word = named[found[1].lower()]
            return word.capitalize() if found[1][0].isupper() else word

        # After a dot it is the name of a setting, such as train.images.
        return re.sub(r"(?<!\.)\b(an image|images?|pixel)(?=\b|s\b)", in_these, sentence, flags=re.IGNORECASE)

    @property
    def numbers(self) -> str:
        """What samples are compared in if there is no network for their features."""
        return f"{self.part}s of the {self.many}"


@dataclass(frozen=True)
class Passage:
    """A part of the report: the meaning of its picture, and what to look for."""

    title: str
    text: str
    alt: str


@dataclass(frozen=True)
class Plots:
    """The report's texts for the plots of a medium."""

    samples: Passage
    beside: Passage
    """The text for samples of the holdout beside generated ones."""
    progress: str
    """The text for plots during the training."""


@dataclass(frozen=True)
class Expectation:
    """A check of a medium's data, beside the gate's checks of all data; if too many samples fail it, the gate warns."""

    figure: str
    """The name of one of `Medium.figures`."""
    failing: str
    """Describes samples that fail, such as "sounds are clipped"."""
    low: float | None = None
    high: float | None = None
    share: float = 0.0
    """The share of samples that may fail."""
    advice: str = ""
    """What to do about it."""

    @property
    def column(self) -> str:
        """Its column in the summary table that normalize writes and the gate reads."""
        return f"medium_{self.figure}"


@dataclass(frozen=True)
class Medium:
    """One kind of data. The defaults are those of images; fields are facts, which are stored with the data.

    Only `pixels` and `measure` need torch: a gate, a page or a flow uses a medium where torch is not installed. Drawing
    a generator's samples is in stages/media/drawings.py.
    """

    name: ClassVar[str]
    words: ClassVar[Words] = Words()
    sides: ClassVar[tuple[str, ...]] = ("height", "width")
    """Names of a sample's sides, in order, in the settings of normalize."""
    channels: ClassVar[tuple[int, ...]] = (1, 3)
    """Allowed values of normalize.channels."""
    fits: ClassVar[tuple[str, ...]] = ("resize", "crop", "letterbox", "pad")
    """Allowed values of normalize.fit."""
    suffixes: ClassVar[tuple[str, ...]] = ()
    """Endings of its sample files, if they are no pictures; the first is that of `encode`."""
    drawings: ClassVar[str] = "stages.media.drawings:Grids"
    """The place of its `Drawings`, as "module:Class"."""
    exact: ClassVar[bool] = False
    """Whether samples keep all their bits; else they are rounded to 8 bits before they are measured."""
    plays: ClassVar[bool] = False
    """Whether samples can be listened to, by `play`."""
    is_text: ClassVar[bool] = False
    """Whether a sample's file is text, which tables show as such."""
    lacks: ClassVar[Mapping[Trait, str]] = {}
    """Traits of images that it does not have, each with the reason."""
    offers: ClassVar[Mapping[str, str]] = {}
    """What it has that a metric may need (`Metric.needs`), each with a name for the data that have it."""
    metrics: ClassVar[Mapping[str, Metric]] = {}
    """Metrics that need what it offers; another package adds metrics as separate entry points."""
    expectations: ClassVar[tuple[Expectation, ...]] = ()
    """The gate's additional checks, which only warn."""
    still: ClassVar[tuple[int, ...]] = ()
    """Sides, counted from 0, along which a small shift changes what a sample is, as a new key changes a tune."""
    recurs: ClassVar[bool] = False
    """Whether samples of different groups are naturally equal, as a bar recurs in other pieces.

    Then only groups keep samples on one side of a split, and the gate only warns about equal samples."""
    pairs_by: ClassVar[str] = "normalize.partner (such as edges) or ingest.pairs"
    """Which settings give its samples partners, for advice to a user."""
    joins: ClassVar[str] = "map"
    """The word for a sample that joins a partner as more channels."""
    attributes_by: ClassVar[str] = "ingest.attributes"
    """Which setting gives its samples attributes, for advice to a user."""
    row: ClassVar[str | None] = None
    """The word for a file of consecutive samples, each predicted from the one before; None without such files."""
    task: ClassVar[str] = "unconditional-image-generation"
    """Hugging Face's name for the task of making samples from noise."""
    unconditional_family: ClassVar[str | None] = None
    """The family to recommend without labels; None: the one most similar to the one in use."""
    paired_family: ClassVar[str | None] = None
    """The family to recommend if samples have partners; None: the same as without."""
    attributes_family: ClassVar[str | None] = None
    """The family to recommend if samples have attributes; None: that of pictures."""

    @property
    def of_pictures(self) -> bool:
        """Whether its files are encoded pictures; else the medium decodes them."""
        return "picture files" not in self.lacks

    @property
    def has_looks(self) -> bool:
        """Whether light and dark mean anything in its samples, so that they can be compared by their looks."""
        return "looks" not in self.lacks

    @property
    def shape(self) -> Shape | None:
        """The only shape of samples whose numbers have their own scale; None if samples may have any shape."""
        return None

    @property
    def chords(self) -> bool:
        """Whether several notes of a sample may sound at once."""
        return False

    @property
    def has(self) -> frozenset[str]:
        """Which items of `offers` these data have."""
        return frozenset(self.offers)

    @property
    def judged_by(self) -> Mapping[str, float]:
        """Metrics, beside the Frechet distance, of how good a generator is, each with the value of one that learned
        nothing. Without any, a generator is judged by how well it follows its condition.
        """
        return {}

    @property
    def distances(self) -> Mapping[str, float]:
        """Metrics that are judged like the Frechet distance, as a multiple of their floor; each with a distance that
        counts as small as the floor, in case the floor is smaller by chance.
        """
        return {}

    @property
    def alphabet(self) -> tuple[str, ...] | None:
        """The words, if samples are sequences of words (`mintage.tokens`); else None."""
        return None

    @property
    def between(self) -> str:
        """The text between two words of the `alphabet`."""
        return " "

    @property
    def shown_as(self) -> str | None:
        """The package `datasets`' name for such files: "Image", "Audio"; None if it has none."""
        return "Image" if self.of_pictures else None

    @property
    def plots(self) -> Plots | None:
        """The report's texts for its plots; None if samples are drawn in grids."""
        return None

    def check_shape(self, shape: Shape) -> Shape:
        """The shape itself. Raises ValueError if it does not have the sides of this medium."""
        if len(shape) != 1 + len(self.sides):
            raise ValueError(f"{list(shape)} are not the channels, {', '.join(self.sides)} of {self.words.many}")
        return shape

    def describe(self, shape: Shape) -> str:
        """The shape in words, to be put before `words.many`, such as "28×28 gray"."""
        return ""

    def decode(self, content: bytes, to: "Normalize", most: int) -> Decoded:
        """A sample of the size in `to`, from a file's content, for a medium that lacks "picture files".

        Raises UnusableError on a file that is no sample, and on more than `most` numbers before it is resized.
        """
        raise NotImplementedError

    def decode_pair(self, content: bytes, partner: bytes, to: "Normalize", most: int) -> tuple[Decoded, "FloatImages"]:
        """A sample, and the values of its partner, which correspond to the sample's place by place.

        Raises UnusableError as `decode` does, and if the sides of both files differ.
        """
        found = self.decode(content, to, most)
        try:
            other = self.decode(partner, to, most)
        except UnusableError as reason:
            raise UnusableError(f"its partner: {reason}") from None
        if found.shape[1:] != other.shape[1:]:
            one, beside = (" x ".join(map(str, each.shape[1:])) for each in (found, other))
            raise UnusableError(f"it has {one} {self.words.part}s and its partner {beside}: pairs are of one size")
        return found, other.values

    def decode_whole(self, content: bytes, channels: int, most: int) -> "FloatImages":
        """A sample `[C,T]` as long as its file, for a medium with one side; raises UnusableError as `decode` does."""
        raise NotImplementedError

    def decode_row(self, content: bytes, most: int) -> "FloatImages":
        """The samples `[N,C,*S]`, in order, of a file with a `row`; raises UnusableError as `decode` does."""
        raise NotImplementedError

    def encode_row(self, samples: "FloatImages") -> bytes:
        """The content of a file with samples `[N,C,*S]` one after the other; its ending is the first of `suffixes`."""
        raise NotImplementedError

    def as_written(self, samples: "Tensor") -> "Tensor":
        """Generated samples `[N,C,*S]` in [-1,1] as their files keep them, if files do more than round them."""
        return samples

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """A sample `[C,*S]` in [-1,1] as a file's content and suffix."""
        raise NotImplementedError

    def to_open(self, content: bytes, suffix: str, comment: str) -> tuple[bytes, str] | None:
        """A file from `encode` as a file that other programs open, and its suffix; None if the sample is empty.

        `comment`, which marks it as generated, is included if such a file can have it.
        """
        return content, suffix

    def play(self, sample: "FloatImages") -> bytes:
        """A sample `[C,*S]` in [-1,1] as a WAV file to listen to, for a medium that `plays`."""
        raise NotImplementedError

    def heard_again(self, sound: bytes, picture: bytes, shape: Shape) -> "FloatImages | None":
        """The sample `[C,*S]` of this shape from which `play` made the sound and `pixels` the PNG, as far as possible.

        None if neither is enough, or they are of another sample.
        """
        return None

    def view(self, shape: Shape) -> str | None:
        """The script with which a browser shows samples of this shape; None if there is none.

        Its file is beside the module of the medium, or of a base class, and has the same name; it sets `VIEW`
        (stages/gallery/static/view.js).
        """
        modules = (getattr(sys.modules[kind.__module__], "__file__", None) for kind in type(self).__mro__)
        scripts = (Path(module).with_suffix(".js") for module in modules if module)
        found = next((script for script in scripts if script.is_file()), None)
        return None if found is None else found.read_text(encoding="utf-8")

    def to_show(self) -> Mapping[str, Any]:
        """The facts about the data for the script of `view`, as plain JSON."""
        return self.to_json()

    def cell(self, shape: Shape) -> tuple[int, int]:
        """(height, width) of the picture that `pixels` makes of a sample of this shape."""
        height, width = shape[1:]
        return height, width

    def pixels(self, samples: "FloatImages") -> "Levels":
        """Samples `[N,C,*S]` in [-1,1] as pictures to look at: `[N,c,h,w]`, c 1 or 3."""
        raise NotImplementedError

    def figures(self, samples: "FloatImages") -> Mapping[str, Sequence[float]]:
        """The figures `[N]` of its `expectations`, by name, for samples `[N,C,*S]` in [-1,1]."""
        return {}

    def measure(self, samples: "Tensor", held_out: "Tensor") -> dict[str, float]:
        """The values of its `metrics`, or of those that these data have: samples `[N,C,*S]` against a holdout
        `[M,C,*S]`.
        """
        raise NotImplementedError

    @classmethod
    def read_former(cls, facts: Mapping[str, Any]) -> "Medium | None":
        """The medium from facts of a version before they had a "medium"; None if they are not of this medium."""
        return None

    def to_json(self) -> dict[str, Any]:
        """The facts that `medium_of` reads."""
        return {"name": self.name, **asdict(self)}
