"""Sounds: a folder or archive of WAV, FLAC, OGG and MP3, each file a sound, or cut into windows."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mintage.waves import Samples, encode_wav
from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.common.sections import Positive, Section
from stages.media.medium import UnusableError
from stages.media.recordings import require_reader, samples_of
from stages.media.sounds import Sounds
from stages.sources import RawImage, Source
from stages.sources.archive import archive_tree
from stages.sources.folder import Folder
from stages.sources.limits import SOUNDS
from stages.sources.tree import Tree, Wanted, tree_source

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
    max_ratio: Positive = Field(100.0, description="times its own size that an archive may unpack to (or it is a bomb)")


def read(params: Ingest, options: Options) -> Source:
    """The sounds of a folder or an archive, with classes and a test set told as by source `folder`.

    Windows are WAV of 16 bits; what is left behind the last whole one is dropped. A file that cannot be read stays
    whole, so that normalize names it. Memory: a file. Raises UserError as source `folder` and `archive` do, and where a
    file needs soundfile, which is not installed.
    """
    if params.pairs is not None:
        raise UserError("pairs-not-supported", "ingest.pairs is of pictures, and these are sounds: set it to null")
    medium, path = Sounds(options.rate), Path(params.path)
    wanted = Wanted(medium, SOUNDS)
    if path.is_file():
        tree: Tree = archive_tree(path, params.max_pixels, options.max_ratio, wanted.extensions)
    elif path.is_dir():
        tree = Folder(path, params.max_pixels)
    else:
        raise UserError("source-missing", f"{path} is not there: set ingest.path to a folder or an archive of sounds")
    source = tree_source("sounds", tree, params, wanted=wanted)
    images = _readable(source.images)
    if options.seconds is None:
        return replace(source, images=images)
    notes = source.notes
    cut = _windows(images, options.seconds, options.overlap, params.max_pixels, notes)
    return replace(source, images=cut, count=None, grouped=True)


def _readable(images: Iterator[RawImage]) -> Iterator[RawImage]:
    for image in images:
        if not image.path.lower().endswith((".wav", ".wave")):
            require_reader()
        yield image


def _windows(
    images: Iterator[RawImage], seconds: float, overlap: float, most: int, notes: list[str]
) -> Iterator[RawImage]:
    short = 0
    for image in images:
        content = image.content() if callable(image.content) else image.content
        try:
            samples, rate, _ = samples_of(content, most)
        except UnusableError:
            yield replace(image, content=content, group=image.key)
            continue
        length = max(1, round(seconds * rate))
        begins = range(0, samples.shape[1] - length + 1, max(1, round(length * (1 - overlap))))
        short += not begins
        for number, begin in enumerate(begins):
            window = partial(_window, samples[:, begin : begin + length], rate)
            key = f"{image.key}#{number:04d}"
            yield replace(image, key=key, path=f"{number:04d}.wav", content=window, group=image.key)
    if short:
        files = "file that is" if short == 1 else "files that are"
        notes.append(f"left out {short} {files} shorter than a window (ingest.options.seconds)")


def _window(samples: Samples, rate: int) -> bytes:
    return encode_wav(samples, rate)
