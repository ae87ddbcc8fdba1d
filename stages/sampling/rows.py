"""The rows of samples, a piece at a time: each depends only on the selected model and params, on any machine.

A row is an image, encoded by its medium, with its condition.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

from torch import Tensor

from mintage.attributes import with_changes
from mintage.model_config import ModelConfig
from mintage.players import Generator
from mintage.sampling import CHUNK, asked_rows, samples
from mintage.sources import visible
from stages.common.device import steady_device_for
from stages.common.errors import UserError
from stages.common.files import read_json
from stages.common.levels import FloatImages
from stages.common.mapping import MapShards
from stages.common.marks import Mark, mark_of, with_mark
from stages.common.models import read_generator
from stages.common.params import Sample
from stages.common.reading import Chosen, Sources, attributes_of
from stages.common.shards import Row
from stages.common.split import JoinedSplit, Split
from stages.common.stage import progress_bar
from stages.media import medium_of
from stages.media.medium import Medium

PIECE = 16 * CHUNK
"""Latents, or sources, from which images are made at once; their rows are in memory until they are written."""
MODEL = "models/selected"
_MOST_NAMED = 20


@dataclass(frozen=True)
class Job:
    """What is sampled, by params."""

    params: Sample
    root: Path
    """The workspace."""

    @cached_property
    def generator(self) -> Generator:
        return read_generator(self.root / MODEL, steady_device_for(self.params.device))

    @cached_property
    def medium(self) -> Medium:
        return medium_of(read_json(self.root / MODEL / "provenance.json"))

    @cached_property
    def mark(self) -> Mark:
        return mark_of(self.root / MODEL)

    @cached_property
    def labels(self) -> list[int] | None:
        """The labels to generate in turn: those in params, or all; None if the model takes none."""
        return labels_for(self.params.classes, self.generator.config)

    @cached_property
    def attributes(self) -> Tensor | None:
        """The attributes `[N,K]` to use in turn; None if the model takes none."""
        return _attributes_for(self.params, self.generator)

    @property
    def asked(self) -> list[int] | Tensor | None:
        return self.labels if self.attributes is None else self.attributes

    @cached_property
    def holdout(self) -> Split:
        """The holdout; if sources have attributes, these are changed by params."""
        holdout, names = Split(self.root / "data/normalized/holdout"), self.generator.config.attributes
        own = attributes_of(holdout)
        if not self.generator.config.joins_attributes or own is None or names is None:
            return holdout
        return holdout.with_attributes(with_changes(own, names, self.params.attributes).numpy())

    def __reduce__(self) -> tuple[type["Job"], tuple[Sample, Path]]:
        """Pickle only params and root: other processes read all else themselves."""
        return Job, (self.params, self.root.resolve())


@dataclass(frozen=True)
class Piece:
    """The latents, or the sources, of these numbers."""

    start: int
    stop: int
    to: str | None = None
    """The domain to make, if there are two."""
    before: int = 0
    """How many rows the other domain has before these."""


def rows(job: Job, over_shards: MapShards) -> Iterator[Row]:
    """All rows, in order; pieces are made when they are needed, or earlier by other workers."""
    work = pieces(job)
    total = sum(piece.stop - piece.start for piece in work) if job.generator.config.translates else job.params.count
    with progress_bar("sample", total) as bar:
        for made in over_shards(partial(rows_of, job), work):
            yield from made
            bar.update(len(made))


def pieces(job: Job) -> list[Piece]:
    """All pieces. With two domains, each direction has half the rows, or each latent an image of each wanted domain."""
    config, count = job.generator.config, job.params.count
    if not config.translates:
        return _cut(ceil(count / len(job.labels)) if config.couples and job.labels else count)
    ways: list[str | None] = [*job.generator.directions] or [None]
    found, before = list[Piece](), 0
    for to in ways:
        translated = min(ceil(count / len(ways)), _held_out(job, to))
        found += _cut(translated, to, before)
        before += translated
    return found


def _held_out(job: Job, to: str | None) -> int:
    return len(job.holdout if to is None else job.holdout.of_other_domain(to))


def _cut(count: int, to: str | None = None, before: int = 0) -> list[Piece]:
    ends = [*range(0, count, PIECE), count]
    return [Piece(start, stop, to, before) for start, stop in pairwise(ends)]


def rows_of(job: Job, piece: Piece) -> list[Row]:
    """The rows of a piece."""
    config = job.generator.config
    if config.translates:
        return list(_translations(job, piece))
    return list(_pairs(job, piece) if config.couples and job.labels else _samples(job, piece))


def _samples(job: Job, piece: Piece) -> Iterator[Row]:
    index, column = piece.start, "attributes" if job.generator.config.attributes else "label"
    for images, asked in samples(job.generator, piece.stop, job.params.seed, job.asked, piece.start):
        of_images = [None] * len(images) if asked is None else asked.tolist()
        for values, condition in zip(images.numpy(), of_images, strict=True):
            image = _encoded(job, values, index, job.mark)
            text = {"text": image["bytes"].decode()} if job.medium.is_text else {}
            yield {"image": image, "label": None, "index": index, "seed": job.params.seed, column: condition} | text
            index += 1


def _pairs(job: Job, piece: Piece) -> Iterator[Row]:
    """An image of each wanted domain for each latent, whose number is in `latent`."""
    wanted, seed = job.labels or [], job.params.seed
    made = [
        (images for images, _ in samples(job.generator, piece.stop, seed, [domain], piece.start)) for domain in wanted
    ]
    of_each = zip(*((image for images in one for image in images.numpy()) for one in made), strict=True)
    for latent, images in enumerate(of_each, piece.start):
        first = latent * len(wanted)
        for index, image in zip(range(first, job.params.count), images, strict=False):
            facts = {"label": wanted[index - first], "index": index, "latent": latent, "seed": seed}
            yield {"image": _encoded(job, image, index, job.mark)} | facts


def _translations(job: Job, piece: Piece) -> Iterator[Row]:
    """A row for each source of the holdout: its translation, marked, beside the source, with its key.

    With two domains, `domain` is the one that is made.
    """
    to, seed, holdout = piece.to, job.params.seed, job.holdout
    split = holdout if to is None else holdout.of_other_domain(to)
    generator = job.generator if to is None else job.generator.directions[to]
    numbers = asked_rows(len(split), len(split), seed)[: piece.stop]
    asked, keys = Sources(split, numbers) if to is None else Chosen(split, numbers), split.keys
    facts = {"label": None, "seed": seed} | ({} if to is None else {"domain": to})
    attributes = split.asked[numbers.numpy()].tolist() if isinstance(split, JoinedSplit) else []
    number = piece.start
    for images, sources in samples(generator, piece.stop, seed, asked, piece.start):
        assert sources is not None
        inputs = visible(generator.config.bare(sources), holdout.shape)
        for image, source in zip(images.numpy(), inputs.numpy(), strict=True):
            index = piece.before + number
            both = {"image": _encoded(job, image, index, job.mark), "source": _encoded(job, source, index)}
            asked_for = {"attributes": attributes[number]} if attributes else {}
            yield both | facts | asked_for | {"index": index, "key": keys[int(numbers[number])]}
            number += 1


def _encoded(job: Job, values: FloatImages, index: int, mark: Mark | None = None) -> dict[str, Any]:
    """A sample as the `image` of a row, marked if it was generated."""
    content, kind = job.medium.encode(values)
    return {"bytes": content if mark is None else with_mark(content, mark), "path": f"{index:06d}.{kind}"}


def labels_for(classes: list[int], config: ModelConfig) -> list[int] | None:
    """The labels to generate in turn: those of `classes`, or all; None if the model takes none.

    Raises UserError if it has no such class.
    """
    if not config.conditional:
        if classes:
            raise UserError(
                "sample-classes-unknown", f"sample.classes = {classes}, and the model is unconditional: set it to []"
            )
        return None
    names = config.classes or ()
    for label in classes:
        if label >= len(names):
            known = ", ".join(f"{index} ({name})" for index, name in enumerate(names[:_MOST_NAMED]))
            known += f", up to {len(names) - 1} ({names[-1]})" if len(names) > _MOST_NAMED else ""
            raise UserError(
                "sample-classes-unknown",
                f"sample.classes has {label}, which is not a label of the model: known are {known}",
            )
    return classes or list(range(len(names)))


def _attributes_for(params: Sample, generator: Generator) -> Tensor | None:
    examples, names = generator.examples, generator.config.attributes
    if examples is None or names is None:
        if params.attributes:
            raise UserError(
                "sample-attributes-unknown",
                f"sample.attributes = {params.attributes}, and the model takes none: set it to {{}}",
            )
        return None
    try:
        return with_changes(examples.cpu(), names, params.attributes)
    except ValueError as error:
        raise UserError("sample-attributes-unknown", f"sample.attributes: {error}") from None
