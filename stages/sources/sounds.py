"""Sounds: a folder or archive of WAV, FLAC, OGG and MP3, each file a sound, or cut into windows."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mintage.waves import encode_wav
from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.common.readers import require_reader
from stages.common.sections import Positive, Section, Seed
from stages.media.endings import SOUNDS
from stages.media.medium import UnusableError
from stages.media.recordings import samples_of
from stages.media.sounds import Sounds
from stages.sources import RawImage, Source, content_of
from stages.sources.folder_or_archive import tree_at
from stages.sources.noises import Noises, Without
from stages.sources.tree import Wanted, tree_source

MEDIUM = Sounds()


class Options(Section):
    rate: Annotated[int, Field(ge=1000, le=192_000)] = Field(
        8000, description="samples a second that all are brought to"
    )
    seconds: Positive | None = Field(
        None,
        description="cut each file into windows of so many seconds, all on one side of the split; null: a file is one",
    )
    overlap: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="share of a window that the next one has too")
    noise: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="folder in ingest.path whose sounds are laid over the others, each of which has itself under noise "
        "as its partner then; with train and test in it, each side of the split has its own",
    )
    decibels: Annotated[list[Annotated[float, Field(ge=-60, le=60)]], Field(min_length=1)] = Field(
        [0.0, 5.0, 10.0], description="how far noise is below a sound in power: one of these is drawn for each"
    )
    noise_seed: Seed = Field(0, description="which noise, from where on, and how loud")
    max_ratio: Positive = Field(100.0, description="times its own size that an archive may unpack to (or it is a bomb)")


def names_tell(params: Ingest) -> bool:
    """True for a folder whose files are neither cut nor laid under noise, for which they are read."""
    return Path(params.path).is_dir() and not params.options.keys() & {"seconds", "noise"}


def paired_by(options: Options) -> bool:
    """Whether samples get partners."""
    return options.noise is not None


def read(params: Ingest, options: Options) -> Source:
    """The sounds of a folder or an archive, with classes, a test set and pairs as in source `folder`.

    Windows, and sounds with a noisy partner, become WAV of 16 bits; the rest after the last whole window is dropped. A
    file that cannot be read stays whole, so that normalize names it. Memory: a file, and all noise. Raises UserError as
    sources `folder` and `archive` do, and if a file needs soundfile, which is not installed.
    """
    medium, path = Sounds(options.rate), Path(params.path)
    wanted = Wanted(medium, SOUNDS)
    tree = tree_at(path, params.max_pixels, options.max_ratio, wanted.extensions, "sounds")
    noises = None
    if options.noise is not None:
        if params.pairs is not None:
            raise UserError(
                "noise-and-pairs",
                "ingest.pairs brings a partner for each sound, and ingest.options.noise makes one: set one to null",
            )
        noises = Noises.read(tree, options.noise, options.decibels, options.noise_seed, params.max_pixels)
        tree = Without(tree, options.noise)
    source = tree_source("sounds", tree, params, wanted=wanted)
    images = _readable(source.images)
    if noises is not None:
        source = replace(source, paired=True, layout=[*source.layout, noises.describe()])
        images = noises.pair(images)
    if options.seconds is None:
        return replace(source, images=images)
    cut = _windows(images, options.seconds, options.overlap, params.max_pixels, source.notes)
    return replace(source, images=cut, count=None, grouped=True)


def _readable(images: Iterator[RawImage]) -> Iterator[RawImage]:
    for image in images:
        if not image.path.lower().endswith((".wav", ".wave")):
            require_reader("soundfile")
        yield image


def _windows(
    images: Iterator[RawImage], seconds: float, overlap: float, most: int, notes: list[str]
) -> Iterator[RawImage]:
    short = 0
    for image in images:
        contents = [content_of(each) for each in (image.content, image.partner) if each is not None]
        try:
            recordings = [samples_of(content, most) for content in contents]
        except UnusableError:
            recordings = []
        if len({(one.rate, one.length) for one in recordings}) != 1:  # normalize reports what is wrong
            beside = contents[1] if len(contents) > 1 else None
            yield replace(image, content=contents[0], partner=beside, group=image.key)
            continue
        length, rate = max(1, round(seconds * recordings[0].rate)), recordings[0].rate
        begins = range(0, recordings[0].length - length + 1, max(1, round(length * (1 - overlap))))
        short += not begins
        for number, begin in enumerate(begins):
            windows = [partial(encode_wav, one.samples[:, begin : begin + length], rate) for one in recordings]
            key, path, partner = f"{image.key}#{number:04d}", f"{number:04d}.wav", windows[1] if windows[1:] else None
            yield replace(image, key=key, path=path, content=windows[0], partner=partner, group=image.key)
    if short:
        files = "file that is" if short == 1 else "files that are"
        notes.append(f"left out {short} {files} shorter than a window (ingest.options.seconds)")
