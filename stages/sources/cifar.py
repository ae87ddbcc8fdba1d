"""CIFAR-10 and CIFAR-100, the binary version's files: a folder of them, or the tar.gz as it is downloaded.

Format: https://www.cs.toronto.edu/~kriz/cifar.html ("Binary version"). A record is one label byte (CIFAR-100: a coarse
and a fine one), then 1,024 red, 1,024 green and 1,024 blue bytes, row by row.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, Literal, NamedTuple, cast

import numpy as np
from pydantic import Field

from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.common.pictures import encode_png
from stages.common.sections import Section
from stages.sources import NOT_STATED, RawImage, Source
from stages.sources.names import names_in, of_system
from stages.sources.packed import archives_in, tar_members
from stages.sources.steady import stamp, steady

_PIXELS = 3 * 32 * 32
_RECORDS = 256
_AT_ONCE = 2**20
_MAX_RATIO = 100.0
_PICKLES = re.compile(r"data_batch_\d|test_batch|batches\.meta|train|test|meta")
_LARGEST_NAMES = 2**16


class Options(Section):
    labels: Literal["fine", "coarse"] = Field("fine", description="CIFAR-100: its 100 classes, or the 20 above them")


@dataclass(frozen=True)
class _Version:
    """CIFAR-10 or CIFAR-100."""

    name: str
    label_bytes: int
    label_at: int
    names_file: str
    class_count: int
    files: re.Pattern[str]


_CIFAR_10 = _Version("cifar-10", 1, 0, "batches.meta.txt", 10, re.compile(r"(data_batch_\d+|test_batch)\.bin"))
_CIFAR_100 = {
    "fine": _Version("cifar-100", 2, 1, "fine_label_names.txt", 100, re.compile(r"(train|test)\.bin")),
    "coarse": _Version("cifar-100", 2, 0, "coarse_label_names.txt", 20, re.compile(r"(train|test)\.bin")),
}


class _File(NamedTuple):
    name: str
    size: int
    content: BinaryIO
    stamp: str


def read(params: Ingest, options: Options) -> Source:
    """The images as PNG, with train and test if both are there. Nothing is unpickled: the Python version is refused.

    Raises UserError on files that are not whole records, a label without a name, and a file that changes meanwhile.
    """
    place = _place(Path(params.path))
    names, texts = _survey(place)
    version = next(
        (v for v in (_CIFAR_10, _CIFAR_100[options.labels]) if any(v.files.fullmatch(n) for n in names)), None
    )
    if version is None:
        raise _no_binary(place, names)
    classes = texts.get(version.names_file) or [str(number) for number in range(version.class_count)]
    sizes = {name: size for name, size in names.items() if version.files.fullmatch(name)}
    record = version.label_bytes + _PIXELS
    for name, size in sizes.items():
        if not size or size % record:
            raise UserError(
                "source-cut-off",
                f"{place}: {name} has {size} bytes, not whole records of {record}: fetch or copy it again",
            )
    return Source(
        name=version.name,
        license=NOT_STATED,
        origin="https://www.cs.toronto.edu/~kriz/cifar.html",
        classes=classes,
        images=_images(place, version, classes, {name.startswith("test") for name in sizes} == {True, False}),
        count=sum(sizes.values()) // record,
    )


def _place(path: Path) -> Path:
    """The folder itself, or the only archive in it if none of the files is there."""
    packed = archives_in(path) if path.is_dir() and not any(path.rglob("*.bin")) else []
    return packed[0] if len(packed) == 1 else path


def _survey(place: Path) -> tuple[dict[str, int], dict[str, list[str]]]:
    """The size of each file, and the class names in files of names."""
    sizes: dict[str, int] = {}
    texts: dict[str, list[str]] = {}
    for name, size, file, _ in _files(place):
        sizes[name] = size
        if name in (_CIFAR_10.names_file, *(version.names_file for version in _CIFAR_100.values())):
            texts[name] = names_in(f"{place}: {name}", file.read(_LARGEST_NAMES))
    return sizes, texts


def _no_binary(place: Path, names: dict[str, int]) -> UserError:
    if any(_PICKLES.fullmatch(name) for name in names):
        return UserError(
            "cifar-pickled",
            f"{place} is CIFAR's Python version, whose files are pickles: reading one can run any code that is in it; "
            "fetch the binary version from https://www.cs.toronto.edu/~kriz/cifar.html",
        )
    return UserError(
        "source-missing",
        f"{place} holds no data_batch_1.bin (CIFAR-10) and no train.bin (CIFAR-100): set ingest.path to the folder, "
        "or the tar.gz, of CIFAR's binary version",
    )


def _files(place: Path) -> Iterator[_File]:
    """Each file in the folder, or in its only folder, or in the tar."""
    if place.is_dir():
        for path in _files_in(place):
            with steady([path]), open(path, "rb") as file:
                yield _File(path.name, path.stat().st_size, file, stamp(path))
    elif place.is_file():
        for tar, member in tar_members(place, _MAX_RATIO, _AT_ONCE):
            if member.isreg():
                content = cast(BinaryIO, tar.extractfile(member))
                yield _File(member.name.rpartition("/")[2], member.size, content, stamp(place))
    else:
        raise UserError(
            "source-missing",
            f"{place} is not there: set ingest.path to the folder, or the tar.gz, of CIFAR's binary version",
        )


def _files_in(folder: Path) -> list[Path]:
    """The files of a folder, or those of the only folder in it."""
    paths = sorted(path for path in folder.iterdir() if not of_system(path.name))
    files, folders = [path for path in paths if path.is_file()], [path for path in paths if path.is_dir()]
    if len(folders) == 1 and not any(path.suffix == ".bin" for path in files):
        return sorted(path for path in folders[0].iterdir() if path.is_file())
    return files


def _images(place: Path, version: _Version, classes: list[str], has_test: bool) -> Iterator[RawImage]:
    for name, size, file, time in _files(place):
        if not version.files.fullmatch(name):
            continue
        stem = name.removesuffix(".bin")
        split = ("test" if stem.startswith("test") else "train") if has_test else None
        for number, record in enumerate(_records(f"{place}: {name}", file, version.label_bytes + _PIXELS, size)):
            label = record[version.label_at]
            if label >= len(classes):
                raise UserError(
                    "label-out-of-range",
                    f"{place}: {name} has the label {label}, but there are {len(classes)} classes only",
                )
            pixels = np.frombuffer(record, np.uint8, _PIXELS, version.label_bytes).reshape(3, 32, 32)
            key = f"{stem}-{number:05d}"
            yield RawImage(key, f"{key}.png", partial(encode_png, pixels), label, split, stamp=time)


def _records(place: str, file: BinaryIO, record: int, size: int) -> Iterator[bytes]:
    for start in range(0, size, record * _RECORDS):
        wanted = min(record * _RECORDS, size - start)
        content = file.read(wanted)
        if len(content) < wanted:
            raise UserError("source-cut-off", f"{place} is cut off: fetch or copy it again")
        for at in range(0, wanted, record):
            yield content[at : at + record]
