"""Files in the format of MNIST: images and labels as bytes behind a short header, packed with gzip or not.

Format: http://yann.lecun.com/exdb/mnist/ (a magic number, the dimensions, the bytes; integers are big-endian).
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

import numpy as np
from pydantic import Field, model_validator

from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.common.pictures import encode_png
from stages.common.sections import Section
from stages.sources import NOT_STATED, RawImage, Source
from stages.sources.download import DOWNLOADS, Url, fetch
from stages.sources.names import names_in
from stages.sources.official import OFFICIAL
from stages.sources.steady import changed, stamp, steady

CLASSES_FILE = "classes.txt"

_MAGIC = {"images": 0x00000803, "labels": 0x00000801}  # unsigned bytes in 3 dimensions, or in 1
_DIMENSIONS = {"images": 3, "labels": 1}
_STEMS = {f"{part}-{kind}-idx{_DIMENSIONS[kind]}-ubyte" for part in ("train", "t10k") for kind in _MAGIC}
_FILE_NAMES = {CLASSES_FILE} | _STEMS | {f"{stem}.gz" for stem in _STEMS}
_CHUNK = 2**16


class Options(Section):
    download: Literal["mnist", "fashion-mnist"] | None = Field(
        None, description="mnist | fashion-mnist, fetched from their official places"
    )
    urls: list[Url] = Field(
        [], description="your own files on the web, each {url: ..., sha256: ...}, under their official file names"
    )

    @model_validator(mode="after")
    def _one_place_to_read(self) -> "Options":
        if self.download and self.urls:
            raise ValueError("'download' and 'urls' name two places to read from: keep one and empty the other")
        return self


@dataclass(frozen=True)
class _Part:
    """A file of images, and the file of their labels, if there is one."""

    name: str
    split: str | None
    images: Path
    labels: Path | None

    @property
    def files(self) -> list[Path]:
        return [self.images, *([self.labels] if self.labels else [])]


def read(params: Ingest, options: Options) -> Source:
    """The train files, and the t10k files, if there are any, as the official test set; each image becomes a gray PNG.

    Names of classes: those of the official data set, or the lines of `classes.txt`, or the label values themselves.
    Without a file of labels, images have none. Raises UserError on a file that is missing, damaged, or of another
    length than its header says.
    """
    official = OFFICIAL[options.download] if options.download else None
    files = _files(params, options)
    parts = _parts(files, params.path)
    if params.labels is None and not any(part.labels for part in parts):
        raise UserError(
            "labels-missing",
            f"{params.path} holds no train-labels-idx1-ubyte (or train-labels-idx1-ubyte.gz): add it, or set "
            "ingest.labels to false to train without classes",
        )
    count = sum(_checked_count(part, params.max_pixels) for part in parts)
    found = sorted({label for part in parts if part.labels for label in _distinct_labels(part.labels)})
    classes, index = _classes(official.classes if official else _names_in(files), found, parts) if found else (None, {})
    return Source(
        name=options.download or "idx",
        license=official.license if official else NOT_STATED,
        origin=official.origin if official else params.path if not options.urls else "ingest.options.urls",
        classes=classes,
        images=(image for part in parts for image in _images(part, index)),
        count=count,
        layout=[f"took {part.images.name} for images without labels" for part in parts if part.labels is None],
    )


def _files(params: Ingest, options: Options) -> dict[str, Path]:
    """The files to read, by their official names; official data sets are downloaded first."""
    if options.download:
        official = OFFICIAL[options.download]
        wanted = {name: ([place + name for place in official.places], sum_) for name, sum_ in official.sha256.items()}
    elif options.urls:
        wanted = {_file_name(entry.url): ([entry.url], entry.sha256.lower()) for entry in options.urls}
    else:
        return _files_in(Path(params.path))
    targets = {name: DOWNLOADS / sum_ / name for name, (_, sum_) in wanted.items()}
    for name, (urls, sum_) in wanted.items():
        fetch(urls, sum_, targets[name])
    return targets


def _file_name(url: str) -> str:
    name = unquote(urlsplit(url).path).rpartition("/")[2]
    if name not in _FILE_NAMES:
        raise UserError(
            "idx-file-unknown",
            f"ingest.options.urls: {name!r} is not one of the file names {', '.join(sorted(_FILE_NAMES))}",
        )
    return name


def _files_in(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError("source-missing", f"{folder} is not a folder: set ingest.path to the folder of the IDX files")
    return {name: folder / name for name in _FILE_NAMES if (folder / name).is_file()}


def _parts(files: dict[str, Path], place: str) -> list[_Part]:
    train = _part("train", files, place)
    if not any(name.startswith("t10k") for name in files):
        return [train]
    test = _part("t10k", files, place)
    return [_Part("train", "train", train.images, train.labels), _Part("test", "test", test.images, test.labels)]


def _part(name: str, files: dict[str, Path], place: str) -> _Part:
    def find(stem: str) -> Path | None:
        return files.get(stem) or files.get(f"{stem}.gz")

    stem = f"{name}-images-idx3-ubyte"
    images = find(stem)
    if images is None:
        raise UserError(
            "source-missing",
            f"{place} holds no {stem} (or {stem}.gz): add it, or set ingest.path or ingest.options.urls",
        )
    return _Part(name, None, images, find(f"{name}-labels-idx1-ubyte"))


class _IdxFile:
    """An IDX file, unpacked while it is read; damage becomes an error that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with open(path, "rb") as file:
                packed = file.read(2) == b"\x1f\x8b"
            self._file = gzip.open(path) if packed else open(path, "rb")  # noqa: SIM115 - closed by `close`
        except OSError as error:
            raise UserError("source-unreadable", f"{path} cannot be read ({error.strerror})") from None

    def close(self) -> None:
        self._file.close()

    def read(self, size: int) -> bytes:
        """At most `size` bytes: fewer only at the end of the file."""
        try:
            return self._file.read(size)
        except (EOFError, OSError, zlib.error) as error:
            raise UserError("source-damaged", f"{self.path} is damaged ({error}): fetch or copy it again") from None

    def exactly(self, size: int) -> bytes:
        content = self.read(size)
        if len(content) < size:
            raise UserError(
                "source-cut-off", f"{self.path} is truncated: it holds fewer bytes than its header says; copy it again"
            )
        return content

    def header(self, kind: str) -> tuple[int, ...]:
        """The dimensions: (count, height, width) of images, (count,) of labels."""
        (magic,) = struct.unpack(">I", self.exactly(4))
        if magic != _MAGIC[kind]:
            raise UserError(
                "idx-magic", f"{self.path} has the magic number {magic}, IDX {kind} have {_MAGIC[kind]}: check the file"
            )
        return struct.unpack(f">{_DIMENSIONS[kind]}I", self.exactly(4 * _DIMENSIONS[kind]))

    def expect_end(self) -> None:
        if self.read(1):
            raise UserError(
                "source-too-long", f"{self.path} is too long: it holds more bytes than its header says; copy it again"
            )


def _checked_count(part: _Part, max_pixels: int) -> int:
    """How many images; headers that contradict each other are refused before any content is read."""
    with closing(_IdxFile(part.images)) as images:
        count, height, width = images.header("images")
    label_count = count
    if part.labels is not None:
        with closing(_IdxFile(part.labels)) as labels:
            (label_count,) = labels.header("labels")
    if not count * height * width:
        raise UserError(
            "image-empty", f"{part.images} holds no pixels: its header says {count} images of {height} x {width}"
        )
    if height * width > max_pixels:
        raise UserError(
            "image-too-large",
            f"{part.images} says {height} x {width} pixels an image, over ingest.max_pixels ({max_pixels})",
        )
    if count != label_count:
        raise UserError(
            "counts-differ",
            f"{part.images} says {count} images but {part.labels} says {label_count} labels: check the files",
        )
    return count


def _distinct_labels(path: Path) -> set[int]:
    with closing(_IdxFile(path)) as file:
        (count,) = file.header("labels")
        found: set[int] = set()
        while count:
            chunk = file.exactly(min(count, _CHUNK))
            found.update(chunk)
            count -= len(chunk)
        file.expect_end()
    return found


def _names_in(files: dict[str, Path]) -> list[str] | None:
    path = files.get(CLASSES_FILE)
    return None if path is None else names_in(str(path), path.read_bytes())


def _classes(names: list[str] | None, found: list[int], parts: list[_Part]) -> tuple[list[str], dict[int, int]]:
    """Class names, and the class of each label value: the value itself if names are known, else its rank."""
    if names is None:
        return [str(value) for value in found], {value: rank for rank, value in enumerate(found)}
    if found[-1] >= len(names):
        files = " or ".join(str(part.labels) for part in parts if part.labels)
        raise UserError(
            "label-out-of-range",
            f"{files} has the label {found[-1]}, but there are names for {len(names)} classes only",
        )
    return names, {value: value for value in found}


def _images(part: _Part, index: dict[int, int]) -> Iterator[RawImage]:
    time = " ".join(map(stamp, part.files))
    with steady(part.files), closing(_IdxFile(part.images)) as images:
        count, height, width = images.header("images")
        labels = repeat(None) if part.labels is None else _labels(part.labels, index)
        for number, label in zip(range(count), labels, strict=False):
            pixels = np.frombuffer(images.exactly(height * width), np.uint8).reshape(1, height, width)
            key = f"{part.name}-{number:05d}"
            yield RawImage(key, f"{key}.png", partial(encode_png, pixels), label, part.split, stamp=time)
        images.expect_end()


def _labels(path: Path, index: dict[int, int]) -> Iterator[int]:
    """The class of each image, in order."""
    with closing(_IdxFile(path)) as file:
        (count,) = file.header("labels")
        for _ in range(count):
            (value,) = file.exactly(1)
            if value not in index:
                raise changed(path)
            yield index[value]
