"""Medical scans in NIfTI, by the package nibabel, which is no part of the usual install; for DICOM see `slices`.

Axes are reordered to those of volumes: to the head, to the front, and to the patient's right. Voxels with sides of
different lengths keep their proportions.
"""

import gzip
import io
import zlib
from importlib import import_module
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from stages.common.errors import one_line
from stages.common.readers import require_reader
from stages.media.medium import UnusableError

_GZIP = b"\x1f\x8b"
_HEADERS = (b"\x5c\x01\x00\x00", b"\x00\x00\x01\x5c", b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")
"""The first bytes of NIfTI-1 and NIfTI-2, in both byte orders: the length of their header."""
_LARGEST_HEADER = 2**20
Spacing = tuple[float, float, float]


def is_scan(content: bytes) -> bool:
    return content.startswith((_GZIP, *_HEADERS))


def scan_in(content: bytes, most: int) -> tuple[npt.NDArray[Any], Spacing]:
    """The numbers `[H,D,W]` of a scan, at most `most`, as the file scales them, and the size of its voxels.

    Raises UnusableError if it is no scan, is cut off, or has another number of axes, and UserError if the package that
    reads it is missing.
    """
    require_reader("nibabel")
    nib: Any = import_module("nibabel")
    unpacked = _unpacked(content, 16 * most + _LARGEST_HEADER) if content.startswith(_GZIP) else content
    if not unpacked.startswith(_HEADERS):
        raise UnusableError("it is packed by gzip, and no NIfTI file")
    kind = nib.Nifti2Image if unpacked.startswith(_HEADERS[2:]) else nib.Nifti1Image
    try:
        image = kind.from_bytes(unpacked)
        shape = image.shape[:3] + tuple(side for side in image.shape[3:] if side != 1)
        if len(shape) != 3:
            raise UnusableError(f"it has the axes {list(image.shape)}: a volume has three, and no times or directions")
        if prod(shape) > most:
            raise UnusableError(f"it says it has {prod(shape)} numbers, over ingest.max_pixels ({most})")
        return upright(image)
    except UnusableError:
        raise
    except Exception as error:  # nibabel raises any kind on a damaged header
        raise UnusableError(f"it cannot be read as NIfTI ({one_line(error)})") from None


def upright(image: Any) -> tuple[npt.NDArray[Any], Spacing]:
    """The numbers `[H,D,W]` of a nibabel image along the axes of volumes, and the size of its voxels.

    Raises UnusableError if voxels have no size, and what nibabel raises.
    """
    turned: Any = import_module("nibabel").as_closest_canonical(image)
    values = np.asanyarray(turned.dataobj).reshape(turned.shape[:3]).transpose(2, 1, 0)
    right, front, up = (abs(float(length)) for length in turned.header.get_zooms()[:3])
    if not (np.isfinite((up, front, right)).all() and min(up, front, right) > 0):
        raise UnusableError(f"its voxels are said to be {up:g} x {front:g} x {right:g} large")
    return values, (up, front, right)


def _unpacked(content: bytes, most: int) -> bytes:
    try:
        with gzip.open(io.BytesIO(content)) as file:
            unpacked = file.read(most + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UnusableError(f"it is no whole gzip file ({error})") from None
    if len(unpacked) > most:
        raise UnusableError("it unpacks to more than ingest.max_pixels numbers")
    return unpacked
