"""Medical scans as slices of DICOM, a file each, by the package pydicom; a series of slices is one volume.

Its slices are packed in a zip without compression. They have only what the volume needs: no name, no date and no number
of a patient. Axes and voxels are as in PS3.3 of the DICOM standard, section C.7.6.2.
"""

import io
import struct
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from hashlib import sha256
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from stages.common.errors import one_line
from stages.common.readers import require_reader
from stages.media import scans
from stages.media.medium import UnusableError

READERS = ("nibabel", "pydicom")
"""The packages that orient volumes and read slices."""
_MAGIC = slice(128, 132)
_NAME = "{:05d}.dcm"
_PACKED, _NAME_AT = b"PK\x03\x04", 30
"""The first bytes of a zip, and the position of its first file's name (APPNOTE.TXT 6.3.10, section 4.3.7)."""
_DEFLATED = b"1.2.840.10008.1.2.1.99"
"""The transfer syntax after which everything is deflated, without a limit on its size."""
_NAMED = ("SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Rows")
_KEPT = (
    "Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
    "PixelRepresentation", "NumberOfFrames", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient",
    "RescaleSlope", "RescaleIntercept", "PixelData",
)  # fmt: skip
_TO_LEFT_AND_BACK = np.diag([-1.0, -1.0, 1.0])
"""DICOM's axes go to the patient's left, back and head; NIfTI's go to the right, front and head."""
_SAME_PLACE = 1e-4
"""Millimeters up to which two slices are at the same place."""
_UNEVEN = 0.1
"""Share by which a step between slices may differ from the others, since positions have few digits."""
Numbers = npt.NDArray[np.float64]


class Slice(NamedTuple):
    """Which volume a file belongs to."""

    series: str
    patient: str
    """An anonymous digest, equal in all files of a patient; of the study if the file names no patient."""
    has_pixels: bool


def is_slice(content: bytes) -> bool:
    return content[_MAGIC] == b"DICM"


def slice_of(content: bytes) -> Slice | None:
    """The header of a DICOM file; None if it cannot be read. Raises UserError if pydicom or nibabel is missing."""
    require_reader(*READERS)
    try:
        with _quiet():
            said = _read(content, _NAMED, pixels=False)
            series, study, patient = (str(said.get(name) or "").strip() for name in _NAMED[:3])
    except Exception:  # pydicom raises any kind on damaged bytes
        return None
    patient = patient or study or series
    return Slice(series, sha256(patient.encode()).hexdigest()[:16], "Rows" in said)


def packed(contents: Iterable[bytes]) -> bytes:
    """The files of a series packed as one, with only what it needs; a file that cannot be read is empty there."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as series:
        for number, content in enumerate(contents):
            series.writestr(zipfile.ZipInfo(_NAME.format(number)), _needed(content))
    return file.getvalue()


def is_series(content: bytes) -> bool:
    return content.startswith(_PACKED) and content.startswith(_NAME.format(0).encode(), _NAME_AT)


def series_in(content: bytes, most: int) -> tuple[npt.NDArray[Any], scans.Spacing]:
    """The numbers `[H,D,W]` of a packed series, at most `most`, as the files scale them, and the size of its voxels.

    Slices are sorted by their positions. Raises UnusableError if they make no volume, and UserError if the packages
    that read them are missing.
    """
    require_reader(*READERS)
    read = [_placed(one, most) for one in _files(content)]
    if len(read) < 2:
        raise UnusableError("it is a lone slice: a volume has two or more, so add the others, or take it out")
    geometry = _geometry(read)
    if (count := len(read) * geometry.rows * geometry.columns) > most:
        raise UnusableError(f"it says it has {count} numbers, over ingest.max_pixels ({most})")
    values = np.stack([_values(read[number].header) for number in geometry.order], 2)
    image = import_module("nibabel").Nifti1Image(values, geometry.affine)
    return scans.upright(image)


@dataclass(frozen=True)
class _Placed:
    """A slice and its position."""

    header: Any
    size: tuple[int, int]
    """Rows and columns."""
    spacing: Numbers
    """`[2]`: distances between rows and between columns, in millimeters."""
    corner: Numbers
    """`[3]`: the center of its first pixel, to the patient's left, back and head."""
    along: Numbers
    """`[2,3]`: the directions in which columns and rows increase."""


class _Geometry(NamedTuple):
    order: list[int]
    """The slices' numbers, sorted from one end to the other."""
    affine: Numbers
    """`[4,4]`: from (column, row, slice) to the patient's right, front and head."""
    rows: int
    columns: int


def _read(content: bytes, names: Sequence[str], pixels: bool = True) -> Any:
    """A data set with the named elements. Raises UnusableError."""
    pydicom: Any = import_module("pydicom")
    if not is_slice(content) or _DEFLATED in content:
        raise UnusableError(
            "one of its files cannot be read as DICOM: copy it again, inflate it (dcmconv +te) where it is deflated as "
            "a whole, or take it out"
        )
    try:
        with _quiet():
            return pydicom.dcmread(io.BytesIO(content), stop_before_pixels=not pixels, specific_tags=list(names))
    except Exception as error:  # pydicom raises any kind on damaged bytes
        raise _unreadable(error) from None


def _quiet() -> AbstractContextManager[object]:
    """Silences pydicom's warning about each value that does not follow the standard."""
    return warnings.catch_warnings(action="ignore")


def _unreadable(error: Exception) -> UnusableError:
    return UnusableError(f"one of its slices cannot be read as DICOM ({one_line(error)})")


def _needed(content: bytes) -> bytes:
    """A DICOM file with only what a volume needs; empty if it cannot be read."""
    pydicom: Any = import_module("pydicom")
    file = io.BytesIO()
    try:
        with _quiet():
            said = _read(content, _KEPT)
            syntax = said.file_meta.TransferSyntaxUID
            said.preamble, said.file_meta = bytes(128), pydicom.dataset.FileMetaDataset()
            said.file_meta.TransferSyntaxUID = syntax
            said.save_as(file, enforce_file_format=False)
    except Exception:  # pydicom raises any kind on damaged bytes
        return b""
    return file.getvalue()


def _files(content: bytes) -> list[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as series:
            infos = series.infolist()
            if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
                raise UnusableError("it is a zip, and no series of slices as ingest packs them")
            return [series.read(info) for info in infos]
    except (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, ValueError, struct.error) as error:
        raise UnusableError(f"it is no whole series of slices ({one_line(error)})") from None


def _placed(content: bytes, most: int) -> _Placed:
    header = _read(content, _KEPT)
    try:
        with _quiet():
            found = {name: header.get(name) for name in _KEPT[:-1]}
            frames, samples = int(found["NumberOfFrames"] or 1), int(found["SamplesPerPixel"] or 1)
            if frames != 1:
                raise UnusableError(f"it has a file of {frames} frames: make NIfTI of it, as dcm2niix does")
            if samples != 1 or "PALETTE" in str(found["PhotometricInterpretation"]):
                raise UnusableError("its slices are in color: a volume is of one number a voxel, so make them gray")
            for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
                if not found[name]:
                    raise UnusableError(f"one of its slices has no {name}, so nobody knows where it lies: take it out")
            rows, columns = int(found["Rows"]), int(found["Columns"])
            spacing, corner = (np.array(found[name], np.float64) for name in ("PixelSpacing", "ImagePositionPatient"))
            along = np.array(found["ImageOrientationPatient"], np.float64).reshape(2, 3)
    except UnusableError:
        raise
    except Exception as error:  # pydicom raises any kind on damaged values
        raise _unreadable(error) from None
    is_frame = np.allclose(along @ along.T, np.eye(2), atol=0.01)
    if not (is_frame and spacing.shape == (2,) and corner.shape == (3,) and np.isfinite(corner).all()):
        raise UnusableError("one of its slices says no place, directions or pixels that can be: take it out")
    if not (np.isfinite(spacing).all() and spacing.min() > 0 and 0 < rows * columns <= most):
        raise UnusableError(
            f"one of its slices says {rows} x {columns} pixels, {spacing[0]:g} x {spacing[1]:g} mm large, "
            f"where ingest.max_pixels is {most}"
        )
    return _Placed(header, (rows, columns), spacing, corner, along)


def _geometry(read: Sequence[_Placed]) -> _Geometry:
    """How slices make a volume. Raises UnusableError if they make none."""
    first = read[0]
    if sizes := sorted({one.size for one in read} - {first.size}):
        (rows, columns), (others, wide) = first.size, sizes[0]
        raise UnusableError(
            f"its slices are of two sizes, such as {rows} x {columns} and {others} x {wide}: keep those of one"
        )
    if not all(np.allclose(one.spacing, first.spacing, rtol=0.01) for one in read):
        raise UnusableError("the pixels of its slices are of two sizes: keep the slices of one")
    if not all(np.allclose(one.along, first.along, atol=0.01) for one in read):
        raise UnusableError("its slices lie in two directions, as where a scout is among them: keep those of one")
    normal = np.cross(*first.along)
    places = np.array([one.corner @ normal for one in read])
    order = places.argsort(kind="stable").tolist()
    step = _even_step(places[order])
    lowest = read[order[0]].corner
    aside = np.array([read[number].corner - lowest for number in order])
    aside -= (aside @ normal)[:, None] * normal
    if np.linalg.norm(aside, axis=1).max() > first.spacing.max():
        raise UnusableError(
            "its slices are shifted against each other, as by a tilted gantry: make NIfTI of it, as dcm2niix does"
        )
    affine = np.eye(4)
    across, down = first.along * first.spacing[::-1, None]
    affine[:3] = _TO_LEFT_AND_BACK @ np.stack([across, down, step * normal, lowest], 1)
    return _Geometry(order, affine, *first.size)


def _even_step(places: Numbers) -> float:
    """The distance from each slice to the next. Raises UnusableError if it is not even."""
    steps = np.diff(places)
    if steps.min() < _SAME_PLACE:
        at = places[int(steps.argmin())]
        raise UnusableError(
            f"two of its slices lie at one place ({at:g} mm along), as of two times or copies: keep those of one"
        )
    usual, widest = float(np.median(steps)), int(steps.argmax())
    if abs(steps / usual - 1).max() > _UNEVEN:
        raise UnusableError(
            f"its slices lie {usual:g} mm apart, but elsewhere {steps.min():g} to {steps.max():g} mm, the most behind "
            f"{places[widest]:g} mm: add those that are missing, or take it out"
        )
    return float(places[-1] - places[0]) / (len(places) - 1)


def _values(header: Any) -> npt.NDArray[Any]:
    """The numbers `[columns, rows]` of a slice, as the file scales them. Raises UnusableError."""
    try:
        with _quiet():
            stored: npt.NDArray[Any] = header.pixel_array
            slope, intercept = (float(header.get(name) or 0) for name in ("RescaleSlope", "RescaleIntercept"))
    except Exception as error:  # of any kind: damaged, or compressed by a codec that is not installed
        with _quiet():
            kind = header.file_meta.get("TransferSyntaxUID", "")
        raise UnusableError(
            f"its pixels cannot be decoded ({getattr(kind, 'name', kind)}: {one_line(error)}): unpack them, as "
            "dcmdjpeg or gdcmconv --raw do, or install pylibjpeg"
        ) from None
    if slope in (0.0, 1.0) and intercept == 0:
        return stored.T
    scaled = stored * (slope or 1.0) + intercept
    is_whole = slope.is_integer() and intercept.is_integer() and abs(scaled).max() < 2**31
    return scaled.astype(np.int32).T if is_whole else scaled.T
