"""NumPy arrays of images, npy or npz, never unpickled: [N,H,W], [N,H,W,C] or [N,C,H,W] and labels beside them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import repeat
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import Field

from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.common.pictures import encode_pfm, encode_png, encoded
from stages.common.sections import Finite, Section
from stages.media.images import Images
from stages.media.medium import Medium
from stages.sources import NOT_STATED, RawImage, Source
from stages.sources.array_files import ArrayFiles, Header, exactly, read_header
from stages.sources.names import SPLITS, VALIDATION, composed, in_order
from stages.sources.steady import changed
from stages.sources.unlabeled import is_mark

_LARGEST_LABELS = 2**32  # bytes
_MOST_NAMED = 20
_BLOCK = 2**18  # bytes of labels that are read at once, unless a single label is larger
_SPLITS = {**SPLITS, **dict.fromkeys(VALIDATION, "val")}
_IMAGES = re.compile(rf"x_(?P<keras>{'|'.join(_SPLITS)})|(?P<medmnist>{'|'.join(_SPLITS)})_images", re.I)
"""x_train beside y_train, as in Keras, or train_images beside train_labels, as in MedMNIST."""
_KNOWN = (("images", "labels"), ("voxels", "labels"), ("x", "y"), ("arr_0", "arr_1"))


class Named(Section):
    """Which arrays are read."""

    images: str | None = Field(
        None, description="name of the array of images; null finds images, x_train and x_test, ..."
    )
    labels: str | None = Field(
        None, description="name of the array of labels; null finds labels, y_train and y_test, ..."
    )
    validation: Literal["train", "test", "leave_out"] = Field(
        "test", description="where val_images and the like go, if there are test images too: train | test | leave_out"
    )


class Options(Named):
    black: Finite = Field(0.0, description="value of black")
    white: Finite | None = Field(
        None, description="value of white; null: 255 for 8 bits, 65535 for 16, 1 for fractions and truths"
    )


@dataclass(frozen=True)
class _Part:
    """An array of images and the array of their labels."""

    images: str
    labels: str | None
    split: str | None


@dataclass(frozen=True)
class Elements:
    """What the elements of an array are."""

    source: str
    """Its name."""
    medium: Medium
    check: Callable[[str, Header, int], None]
    """(place, header, most pixels): raises UserError if an array cannot have such elements, or they are too large."""
    encode: Callable[[str, npt.NDArray[Any]], bytes]
    """(place, element) to the content of a file."""
    suffix: Callable[[Header], str]
    """The file's ending."""


Labels = npt.NDArray[Any]
"""Numbers or names `[N]`."""


def read(params: Ingest, options: Options) -> Source:
    """The images of one npz, one npy, or a folder of npy files. Memory: an image, and some labels.

    8 and 16 bits become PNG; fractions become a float picture if they are gray, 8 bits if they have colors.
    Raises UserError on pickled objects, other shapes and dtypes, values that are no color, and arrays cut off.
    """
    pictures = Elements("arrays", Images(), _check_images, partial(_encoded, options), _suffix)
    return elements_of(params, options, pictures)


def elements_of(params: Ingest, options: Named, elements: Elements) -> Source:
    """The elements of the arrays at `params.path`."""
    files = ArrayFiles(Path(params.path))
    parts, notes = _parts(files, options)
    if params.labels is not None:  # a file has the labels, or none are wanted
        parts = [replace(part, labels=None) for part in parts]
    headers = [_checked_header(files, part.images, elements, params.max_pixels) for part in parts]
    classes = _classes(files, parts, headers)
    return Source(
        name=elements.source,
        license=NOT_STATED,
        origin=params.path,
        classes=[str(value) for value in classes.tolist()] or None,
        images=(
            image
            for part, header in zip(parts, headers, strict=True)
            for image in _images(files, part, header, _ranks(files, part, header.shape[0], classes), elements)
        ),
        notes=notes,
        medium=elements.medium,
        count=sum(header.shape[0] for header in headers),
    )


def _parts(files: ArrayFiles, options: Named) -> tuple[list[_Part], list[str]]:
    """The arrays to read, and notes on their use and on arrays that are not read."""
    names, notes = files.names, list[str]()
    if options.images is not None:
        wanted = [_Part(options.images, options.labels, None)]
    elif len(names) == 1:
        wanted = [_Part(names[0], None, None)]
    elif not (wanted := _by_split(names, options, notes)):
        known = next((pair for pair in _KNOWN if pair[0] in names), None)
        wanted = [] if known is None else [_Part(known[0], options.labels or known[1], None)]
    needed = [name for part in wanted for name in (part.images, part.labels) if name is not None]
    if not wanted or [name for name in needed if name not in names]:
        raise UserError(
            "arrays-not-named",
            f"{files.path} holds the arrays {_listed(names) or '(none)'}: "
            f"name those to read in ingest.options.images and labels{_missing(needed, names)}",
        )
    if unread := [name for name in names if name not in needed]:
        notes.append(f"not read: {_listed(unread)}")
    return wanted, notes


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_MOST_NAMED]) + (", ..." if len(names) > _MOST_NAMED else "")


def _by_split(names: list[str], options: Named, notes: list[str]) -> list[_Part]:
    """The arrays of images that are named by their split; without a test split, the validation split is the test."""
    found: dict[str, _Part] = {}
    for name in names:
        if match := _IMAGES.fullmatch(name):
            split = _SPLITS[(match["keras"] or match["medmnist"]).lower()]
            if split in found:
                raise UserError(
                    "split-twice",
                    f"{found[split].images} and {name} are of one split: name one of them in ingest.options.images",
                )
            labels = f"y{name[1:]}" if match["keras"] else f"{match['medmnist']}_labels"
            beside = next((other for other in names if other.lower() == labels.lower()), labels)
            found[split] = _Part(name, options.labels or beside, split)
    goes = {"train": "train", "test": "test", "val": options.validation if "test" in found else "test"}
    if {"val", "test"} <= set(found):
        where = {"train": "joins the images to train on", "test": "joins the test images", "leave_out": "is left out"}
        notes.append(f"{found['val'].images} {where[options.validation]} (ingest.options.validation)")
    parts = [replace(found[split], split=goes[split]) for split in ("train", "val", "test") if split in found]
    parts = [part for part in parts if part.split != "leave_out"]
    return parts if len({part.split for part in parts}) > 1 else [replace(part, split=None) for part in parts]


def _missing(needed: list[str], names: list[str]) -> str:
    missing = [name for name in needed if name not in names]
    return f" (there is no {missing[0]})" if missing else ""


def _checked_header(files: ArrayFiles, name: str, elements: Elements, max_pixels: int) -> Header:
    place = files.place(name)
    with files.open(name) as file:
        header = read_header(place, file)
    elements.check(place, header, max_pixels)
    return header


def _check_images(place: str, header: Header, max_pixels: int) -> None:
    shape, dtype = header.shape, header.dtype
    if len(shape) not in (3, 4) or 0 in shape or (len(shape) == 4 and not {1, 3} & {shape[1], shape[3]}):
        raise UserError(
            "arrays-shape", f"{place} has the shape {shape}: images are [N,H,W], [N,H,W,C] or [N,C,H,W] with C 1 or 3"
        )
    if dtype.kind not in "buf" or (dtype.kind == "u" and dtype.itemsize > 2):
        raise UserError(
            "arrays-dtype", f"{place} holds {dtype}: images are uint8, uint16, fractions or truths; convert it"
        )
    if prod(shape[1:]) > 3 * max_pixels:
        raise UserError(
            "image-too-large", f"{place} says {shape[1:]} values an image, over ingest.max_pixels ({max_pixels})"
        )


def _suffix(header: Header) -> str:
    return "pfm" if header.dtype.kind == "f" and 3 not in header.shape[1:] else "png"


def _classes(files: ArrayFiles, parts: list[_Part], headers: list[Header]) -> Labels:
    """The distinct labels, in order, without the values that mean no label."""
    found: Labels | None = None
    for part, header in zip(parts, headers, strict=True):
        for values in _label_blocks(files, part.labels, header.shape[0]) if part.labels is not None else ():
            found = np.unique(values) if found is None else np.union1d(found, values)
    if found is None:
        return np.empty(0)
    values = found.tolist()
    classes = [value for value in values if not is_mark(value, values)]
    return np.array(in_order(classes) if found.dtype.kind == "U" else classes, found.dtype)


def _ranks(files: ArrayFiles, part: _Part, count: int, classes: Labels) -> Iterator[int | None]:
    """The index of each image's label in `classes`; None for an image without a label."""
    if part.labels is None:
        yield from repeat(None, count)
        return
    ranks = {value: rank for rank, value in enumerate(classes.tolist())}
    for block in _label_blocks(files, part.labels, count):
        for value in (block.astype(classes.dtype) if len(classes) else block).tolist():
            if value not in ranks and not is_mark(value, ()):
                raise changed(files.place(part.labels))
            yield ranks.get(value)


def _label_blocks(files: ArrayFiles, name: str, count: int) -> Iterator[Labels]:
    """Labels, some at a time; for a table with a column for each class, the number of the column with the 1."""
    place = files.place(name)
    with files.open(name) as file:
        header = read_header(place, file)
        columns = header.shape[1] if len(header.shape) == 2 and header.shape[0] == count else 1
        kinds = "iubfUS" if columns == 1 else "iubf"
        if prod(header.shape) != count * columns or not columns or header.dtype.kind not in kinds:
            raise UserError(
                "labels-invalid",
                f"{place} is {header.dtype} of the shape {header.shape}, not {count} class numbers or names: write "
                "such, or set ingest.labels to false",
            )
        if header.size > _LARGEST_LABELS:
            raise UserError(
                "labels-invalid", f"{place} is of {header.size} bytes: names of classes are shorter; write numbers"
            )
        width = columns * header.dtype.itemsize
        block = max(1, _BLOCK // max(1, width))
        for start in range(0, count, block):
            values = np.frombuffer(exactly(place, file, min(block, count - start) * width), header.dtype)
            if columns > 1:
                yield _column_of_the_one(place, values.reshape(-1, columns), start)
            else:
                yield _plain(place, values)


def _plain(place: str, values: Labels) -> Labels:
    """Labels as whole numbers or composed names, from fractions (tables with empty cells have them) or bytes."""
    if values.dtype.kind in "iu":
        beyond = values.dtype.kind == "u" and values.max(initial=0) > np.iinfo(np.int64).max
        return values if beyond else values.astype(np.int64)  # NumPy would make fractions from both together
    if values.dtype.kind == "b":
        return values.astype(np.uint8)
    if values.dtype.kind == "f":
        odd = values[~np.isnan(values) & (values != np.round(values))]
        if len(odd) or np.isinf(values).any():
            raise UserError("labels-invalid", f"{place} holds fractions, no class numbers: write whole ones, or names")
        return np.array(["NaN" if np.isnan(value) else str(int(value)) for value in values])
    try:
        names = np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values
    except UnicodeDecodeError:
        raise UserError("labels-invalid", f"{place} holds names that are no UTF-8: write them so, or numbers") from None
    return np.array([composed(name) for name in names.tolist()])


def _column_of_the_one(place: str, rows: npt.NDArray[Any], first: int) -> Labels:
    """The column `[N]` of the 1 in each row of a table `[N,K]`, which must have exactly one."""
    if not np.isin(rows, (0, 1)).all():
        raise UserError(
            "labels-invalid",
            f"{place} has {rows.shape[1]} columns, and not only 0 and 1 in them: write a class number an image",
        )
    wrong = np.flatnonzero((rows == 1).sum(1) != 1)
    if len(wrong):
        ones = int((rows[wrong[0]] == 1).sum())
        raise UserError(
            "labels-are-attributes",
            f"{place}, row {first + int(wrong[0])} has {ones} ones: a table with one in each row holds classes, one "
            "with several holds attributes: write a class number an image, or a table for ingest.attributes, or set "
            "ingest.labels to false to train without classes",
        )
    columns: Labels = np.argmax(rows == 1, axis=1)
    return columns


def _images(
    files: ArrayFiles, part: _Part, header: Header, labels: Iterator[int | None], elements: Elements
) -> Iterator[RawImage]:
    place, time = files.place(part.images), files.stamp(part.images)
    size = prod(header.shape[1:]) * header.dtype.itemsize
    with files.open(part.images) as file:
        if read_header(place, file) != header:
            raise changed(place)
        for number, label in zip(range(header.shape[0]), labels, strict=True):
            values = np.frombuffer(exactly(place, file, size), header.dtype).reshape(header.shape[1:])
            key = f"{part.images}-{number:06d}"
            content = partial(elements.encode, f"{place}, {elements.medium.words.one} {number}", values)
            yield RawImage(key, f"{key}.{elements.suffix(header)}", content, label, part.split, stamp=time)
        if file.read(1):
            raise UserError(
                "source-too-long",
                f"{place} is too long: it holds more bytes than its header says; write or copy it again",
            )


def _encoded(options: Options, place: str, values: npt.NDArray[Any]) -> bytes:
    """Values `[H,W]`, `[H,W,C]` or `[C,H,W]` as an encoded picture without loss."""
    planes = _planes(values)
    bits = 8 * values.dtype.itemsize if values.dtype.kind == "u" else None
    white = options.white if options.white is not None else {8: 255.0, 16: 65535.0}.get(bits or 0, 1.0)
    if bits == 8 and (options.black, white) == (0.0, 255.0):
        return encode_png(np.ascontiguousarray(planes))
    shares = (planes.astype(np.float64) - options.black) / (white - options.black)
    if not ((shares >= 0) & (shares <= 1)).all():  # a NaN fails too
        raise UserError(
            "values-out-of-range",
            f"{place} has values outside {options.black:g} to {white:g}: set ingest.options.black and white",
        )
    if bits == 16 and len(planes) == 1:
        return encoded(Image.fromarray(np.rint(shares[0] * 65535).astype(np.uint16)))
    if len(planes) == 1 and values.dtype.kind == "f":
        return encode_pfm(shares[0].astype(np.float32))
    return encode_png(np.rint(shares * 255).astype(np.uint8))


def _planes(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values as `[C,H,W]`: colors are the last axis if its length fits, else the first."""
    if values.ndim == 2:
        return values[None]
    return np.moveaxis(values, -1, 0) if values.shape[-1] in (1, 3) else values
