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
Trait = Literal["picture files", "looks", "brightness", "spectrum", "truncation", "latent pictures"]
"""What images have: files that are pictures, to be decoded and brought to their size as such; looks to compare, levels
to check and to be shown small; numbers of which a larger one is more; frequencies; a curve of truncated noise; a
picture of every operation on latents."""


class UnusableError(Exception):
    """A file that a medium can make no sample of; the text is the reason, without the file's name."""


@dataclass(frozen=True)
class Decoded:
    """A sample, and what its file was."""

    values: "FloatImages"
    """`[C,*S]` in [-1,1]."""
    kind: str
    """Of the file, such as its format."""
    shape: Shape
    """Of what the file holds; its sides are as many as the sample's, 0 where it has none."""


@dataclass(frozen=True)
class Words:
    """What samples are called, in sentences of every stage."""

    one: str = "image"
    a: str = "an image"
    many: str = "images"
    part: str = "pixel"
    """A number of a sample."""
    flat: str = "one flat colour"
    """What a sample is whose numbers are all the same."""

    def said(self, sentence: str) -> str:
        """A sentence on images and pixels, in these words."""
        named = {"an image": self.a, "image": self.one, "images": self.many, "pixel": self.part}

        def in_these(found: re.Match[str]) -> str:
            word = named[found[1].lower()]
            return word.capitalize() if found[1][0].isupper() else word

        # Behind a dot it is the name of a setting, such as train.images.
        return re.sub(r"(?<!\.)\b(an image|images?|pixel)(?=\b|s\b)", in_these, sentence, flags=re.IGNORECASE)

    @property
    def numbers(self) -> str:
        """In what samples are compared, where no network learned features of them."""
        return f"{self.part}s of the {self.many}"


@dataclass(frozen=True)
class Passage:
    """A part of the report: what its picture shows, and what to look for."""

    title: str
    text: str
    alt: str


@dataclass(frozen=True)
class Plots:
    """What the report says beside the plots of a medium."""

    samples: Passage
    beside: Passage
    """Of held-out samples beside generated ones."""
    progress: str
    """Of the plots in the course of the training."""


@dataclass(frozen=True)
class Expectation:
    """What a medium asks of its data beyond what the gate asks of any; where more samples fail it, the gate warns."""

    figure: str
    """One of those that `Medium.figures` counts."""
    failing: str
    """What samples do that are beyond, such as "sounds are clipped"."""
    low: float | None = None
    high: float | None = None
    share: float = 0.0
    """Of the samples that may be beyond."""
    advice: str = ""
    """How to go on."""

    @property
    def column(self) -> str:
        """Of the summary table that normalize writes and the gate reads."""
        return f"medium_{self.figure}"


@dataclass(frozen=True)
class Medium:
    """One kind of data. The defaults say that there is nothing special; fields are facts, which travel with the data.

    Nothing here needs torch but `pixels` and `measure`: a gate, a page or a flow uses it where torch is not installed.
    What draws a generator's samples is apart (stages/media/drawings.py).
    """

    name: ClassVar[str]
    words: ClassVar[Words] = Words()
    sides: ClassVar[tuple[str, ...]] = ("height", "width")
    """What the settings of normalize call the sides of a sample, in order."""
    channels: ClassVar[tuple[int, ...]] = (1, 3)
    """What normalize.channels may be."""
    fits: ClassVar[tuple[str, ...]] = ("resize", "crop", "letterbox", "pad")
    """Which of normalize.fit its samples can be brought to their size by."""
    suffixes: ClassVar[tuple[str, ...]] = ()
    """How files end that are samples of it, where they are no pictures; the first is that of `encode`."""
    drawings: ClassVar[str] = "stages.media.drawings:Grids"
    """Where its `Drawings` lie, as "module:Class"."""
    exact: ClassVar[bool] = False
    """Whether samples keep all their bits; else they are measured as what 8 bits leave of them."""
    plays: ClassVar[bool] = False
    """Whether samples can be listened to; `play` says how."""
    is_text: ClassVar[bool] = False
    """Whether a sample's file is text, which tables show as such."""
    lacks: ClassVar[Mapping[Trait, str]] = {}
    """What it has not that images have, each with the reason."""
    offers: ClassVar[Mapping[str, str]] = {}
    """What a metric may need (`Metric.needs`), each with a name for the data that have it."""
    metrics: ClassVar[Mapping[str, Metric]] = {}
    """Those that need what it offers; of another package they are entry points of their own."""
    expectations: ClassVar[tuple[Expectation, ...]] = ()
    """What the gate asks of it alone, and warns of."""
    still: ClassVar[tuple[int, ...]] = ()
    """Sides, by their place, along which a sample that is moved by a little is another, as a tune is in another key."""
    recurs: ClassVar[bool] = False
    """Whether samples of different groups are the same by nature, as a bar comes back in other pieces.

    Then groups alone keep samples on one side of a split, and the gate warns of equal ones where it else refuses."""
    pairs_by: ClassVar[str] = "normalize.partner (such as edges) or ingest.pairs"
    """Which settings give its samples partners, for who has none."""
    joins: ClassVar[str] = "map"
    """What each sample is called that joins the one which another is made of."""
    attributes_by: ClassVar[str] = "ingest.attributes"
    """Which setting gives its samples attributes, for who has none."""
    row: ClassVar[str | None] = None
    """What several samples in a row, each to be made of the one before, are called; None where no file is."""
    task: ClassVar[str] = "unconditional-image-generation"
    """What Hugging Face's hub calls it to make samples from noise."""
    unconditional_family: ClassVar[str | None] = None
    """The one to advise where there are no labels; None: whichever is nearest to the one in use."""
    paired_family: ClassVar[str | None] = None
    """The one to advise where samples have partners; None: as without."""
    attributes_family: ClassVar[str | None] = None
    """The one to advise where samples have attributes; None: that of pictures."""

    @property
    def shape(self) -> Shape | None:
        """The one shape that samples have, whose numbers have a scale of their own; None where any will do."""
        return None

    @property
    def chords(self) -> bool:
        """Whether several notes may sound at once in a sample."""
        return False

    @property
    def has(self) -> frozenset[str]:
        """Which of what it `offers` these data have."""
        return frozenset(self.offers)

    @property
    def judged_by(self) -> Mapping[str, float]:
        """Metrics that say, beside the Frechet distance, how good a generator is, each with what one that learned
        nothing reaches; else how well it obeys its condition says so.
        """
        return {}

    @property
    def distances(self) -> Mapping[str, float]:
        """Metrics that say so as the Frechet distance does, by how many times what real samples reach it is; each with
        a distance that is as good as that, for who reaches less by chance.
        """
        return {}

    @property
    def alphabet(self) -> tuple[str, ...] | None:
        """The words, where samples are sequences of some (`mintage.tokens`)."""
        return None

    @property
    def between(self) -> str:
        """What stands between two words of the `alphabet` in text."""
        return " "

    @property
    def shown_as(self) -> str | None:
        """What the package `datasets` calls such files: "Image", "Audio"; None where it knows none."""
        return None if "picture files" in self.lacks else "Image"

    @property
    def plots(self) -> Plots | None:
        """What is said beside its plots; None where samples are drawn in grids, each in a cell."""
        return None

    def check_shape(self, shape: Shape) -> Shape:
        """The same, of a sample with the sides of this medium. Raises ValueError."""
        if len(shape) != 1 + len(self.sides):
            raise ValueError(f"{list(shape)} are not the channels, {', '.join(self.sides)} of {self.words.many}")
        return shape

    def describe(self, shape: Shape) -> str:
        """What stands before `words.many` to say their shape, such as 28×28 gray."""
        return ""

    def decode(self, content: bytes, to: "Normalize", most: int) -> Decoded:
        """A sample of the size that `to` asks for, of a file's content, where the medium lacks "picture files".

        Raises UnusableError on what cannot be one, and on more than `most` numbers before it has its size.
        """
        raise NotImplementedError

    def decode_pair(self, content: bytes, partner: bytes, to: "Normalize", most: int) -> tuple[Decoded, "FloatImages"]:
        """A sample, and the values of its partner, which is like it but for what is to be learned, place by place.

        Raises UnusableError likewise, and where the sides of their files are not the same.
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
        """A sample `[C,T]` as long as its file, of a medium of one side; raises UnusableError as `decode` does."""
        raise NotImplementedError

    def decode_row(self, content: bytes, most: int) -> "FloatImages":
        """Samples `[N,C,*S]`, in order, of a file with a `row`; raises UnusableError as `decode` does."""
        raise NotImplementedError

    def encode_row(self, samples: "FloatImages") -> bytes:
        """A file of samples `[N,C,*S]`, one after the other, that ends in the first of `suffixes`."""
        raise NotImplementedError

    def as_written(self, samples: "Tensor") -> "Tensor":
        """Generated samples `[N,C,*S]` in [-1,1] as their files have them, where they are more than rounded there."""
        return samples

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """A sample `[C,*S]` in [-1,1] as a file's content and suffix."""
        raise NotImplementedError

    def to_open(self, content: bytes, suffix: str, comment: str) -> tuple[bytes, str] | None:
        """What `encode` made, as the file that other programs open, and its suffix; None where there is nothing in it.

        `comment` says that it was generated, where such a file has room for it.
        """
        return content, suffix

    def play(self, sample: "FloatImages") -> bytes:
        """A sample `[C,*S]` in [-1,1] as a WAV file to listen to, of a medium that `plays`."""
        raise NotImplementedError

    def heard_again(self, sound: bytes, picture: bytes, shape: Shape) -> "FloatImages | None":
        """A sample `[C,*S]` of this shape, of which `play` made the sound and `pixels` the PNG, as far as they hold it.

        None where neither does, or they are of another sample.
        """
        return None

    def view(self, shape: Shape) -> str | None:
        """The script by which a browser shows samples of this shape; None where there is none.

        It lies beside the module of the medium, or of one that this is a kind of, and is named like it; it sets `VIEW`
        (stages/gallery/static/view.js).
        """
        modules = (getattr(sys.modules[kind.__module__], "__file__", None) for kind in type(self).__mro__)
        scripts = (Path(module).with_suffix(".js") for module in modules if module)
        found = next((script for script in scripts if script.is_file()), None)
        return None if found is None else found.read_text(encoding="utf-8")

    def to_show(self) -> Mapping[str, Any]:
        """What the script of `view` is told of the data, as plain JSON."""
        return self.to_json()

    def cell(self, shape: Shape) -> tuple[int, int]:
        """(height, width) of the picture that `pixels` makes of a sample of this shape."""
        height, width = shape[1:]
        return height, width

    def pixels(self, samples: "FloatImages") -> "Levels":
        """Samples `[N,C,*S]` in [-1,1] as pictures to look at: `[N,c,h,w]`, c 1 or 3."""
        raise NotImplementedError

    def figures(self, samples: "FloatImages") -> Mapping[str, Sequence[float]]:
        """What its `expectations` are about, `[N]` each, of samples `[N,C,*S]` in [-1,1]."""
        return {}

    def measure(self, samples: "Tensor", held_out: "Tensor") -> dict[str, float]:
        """The figures of its own `metrics`, or of those that these data have: samples `[N,C,*S]` beside held-out ones
        `[M,C,*S]`.
        """
        raise NotImplementedError

    @classmethod
    def read_former(cls, facts: Mapping[str, Any]) -> "Medium | None":
        """As facts said it before they had a "medium"; None where they are not of this one."""
        return None

    def to_json(self) -> dict[str, Any]:
        """What `medium_of` reads."""
        return {"name": self.name, **asdict(self)}
