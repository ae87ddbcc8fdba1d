"""Volumes: a folder or archive of arrays (npy, npz), scans (NIfTI, DICOM) and meshes (OBJ, ...), or one array."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import prod
from pathlib import Path

from pydantic import Field, model_validator

from stages.common.errors import UserError, counted
from stages.common.npy import npy_header
from stages.common.params import Ingest
from stages.common.readers import require_reader
from stages.common.sections import Finite, Positive
from stages.media.cells import ends_to_say, npy
from stages.media.endings import MESHES, SCANS, SLICES
from stages.media.volumes import Up, Volumes
from stages.sources import Content, RawImage, Source, content_of
from stages.sources.array_files import Header
from stages.sources.arrays import Elements, Named, elements_of
from stages.sources.folder_or_archive import tree_at
from stages.sources.names import of_system
from stages.sources.series import Series
from stages.sources.tree import Wanted, tree_source

MEDIUM = Volumes()
_ARRAYS = (".npy", ".npz")
_ARCHIVES = (".zip", ".tar", ".tgz", ".gz", ".bz2", ".xz")


class Options(Named):
    empty: Finite | None = Field(
        None, description="number of an empty cell, in arrays; null: false, 0 beside 1, 0 of 8 bits, -1 of fractions"
    )
    occupied: Finite | None = Field(
        None, description="number of an occupied cell; null: true, 1 beside 0, 255 of 8 bits, 1 of fractions"
    )
    up: Up = Field("y", description="upright axis of meshes: y (their front along z) | z (their front along -y)")
    max_ratio: Positive = Field(100.0, description="times its own size that an archive may unpack to (or it is a bomb)")

    @model_validator(mode="after")
    def _both_or_none(self) -> "Options":
        if (self.empty is None) != (self.occupied is None):
            raise ValueError("empty and occupied are the ends of one scale: set both, or none")
        if self.empty is not None and self.empty == self.occupied:
            raise ValueError("empty and occupied are the same number: nothing could be told from it")
        return self


def read(params: Ingest, options: Options) -> Source:
    """The volumes of a folder or an archive, a file each, with classes and a test set as in source `folder`.

    Slices of DICOM are joined, and the volumes of one patient are a group. Or the volumes of one npy or npz, an array
    `[N,H,D,W]` or `[N,C,H,D,W]` with labels beside it, as source `arrays` reads images. Memory: a volume. Raises
    UserError as these sources do, and if the package that reads scans or meshes is missing.
    """
    if params.pairs is not None:
        raise UserError("pairs-not-supported", "ingest.pairs is of pictures, and these are volumes: set it to null")
    source = _source(params, options)
    return source if options.empty is not None else replace(source, images=_with_ends(source, params.max_pixels))


def _source(params: Ingest, options: Options) -> Source:
    medium, path = Volumes(options.empty, options.occupied, options.up), _only_file_in(Path(params.path))
    if path.is_file() and path.suffix.lower() in _ARRAYS:
        found = params.model_copy(update={"path": str(path)})
        elements = Elements("volumes", medium, _check, lambda _, values: npy(values), lambda _: "npy")
        return elements_of(found, options, elements)
    wanted = Wanted(medium, (*_ARRAYS, *SCANS, *SLICES, *MESHES))
    tree = tree_at(
        path, params.max_pixels, options.max_ratio, wanted.extensions, "arrays and meshes, or to an npy or npz"
    )
    series = Series(tree, params.max_pixels)
    source = tree_source("volumes", series, params, wanted=wanted)
    images = series.by_patient(_with_reader(source.images))
    return replace(source, images=images, grouped=series.of_several_patients, layout=[*source.layout, *series.said])


def _with_ends(source: Source, most: int) -> Iterator[RawImage]:
    """The images; after the last one, a note gives the range of numbers in volumes that do not say what is empty.

    A resumed run notes only the volumes that it reads itself.
    """
    found = list[tuple[float, float]]()

    def looked_at(content: Content) -> bytes:
        read = content_of(content)
        if (ends := ends_to_say(read, most)) is not None:
            found.append(ends)
        return read

    for image in source.images:
        is_mesh = image.path.lower().endswith(MESHES)
        yield image if is_mesh else replace(image, content=partial(looked_at, image.content))
    if found:
        lowest, highest = (f"{end:.17g}" for end in (min(low for low, _ in found), max(high for _, high in found)))
        source.notes.append(
            f"the numbers of {counted(len(found), 'volume')} do not say what is empty: they go from {lowest} to "
            f"{highest}; ingest again with ingest.options: {{empty: {lowest}, occupied: {highest}}}, or wider ends"
        )


def _only_file_in(path: Path) -> Path:
    """The only file in a folder; the folder itself if it has anything else."""
    inside = [found for found in path.iterdir() if not of_system(found.name)] if path.is_dir() else []
    return inside[0] if len(inside) == 1 and inside[0].is_file() and _holds_many(inside[0]) else path


def _holds_many(path: Path) -> bool:
    """Whether a file may have several volumes: an archive, or an array that is no single volume."""
    if path.suffix.lower() == ".npy":
        with path.open("rb") as file:
            try:
                return len(npy_header(file)[0]) != 3
            except ValueError:
                return False
    packed = path.name.lower().endswith(_ARCHIVES) and not path.name.lower().endswith(SCANS)
    return path.suffix.lower() == ".npz" or packed


def _with_reader(images: Iterator[RawImage]) -> Iterator[RawImage]:
    for image in images:
        if image.path.lower().endswith(MESHES):
            require_reader("trimesh")
        elif image.path.lower().endswith(SCANS):
            require_reader("nibabel")
        yield image


def _check(place: str, header: Header, most: int) -> None:
    """Raise UserError on an array that cannot have volumes."""
    shape, dtype = header.shape, header.dtype
    if len(shape) not in (4, 5) or 0 in shape:
        raise UserError(
            "arrays-shape",
            f"{place} has the shape {shape}: volumes are [N,height,depth,width], or [N,C,height,depth,width] with C "
            "channels",
        )
    if dtype.kind not in "buif":
        raise UserError("arrays-dtype", f"{place} holds {dtype}: volumes are true and false, or numbers; convert it")
    if prod(shape[1:]) > most:
        raise UserError(
            "image-too-large", f"{place} says {shape[1:]} numbers a volume, over ingest.max_pixels ({most})"
        )
