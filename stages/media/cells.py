"""Arrays of volumes: from numbers to occupied shares, and to another number of cells."""

import io
import zipfile
import zlib
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stages.common.errors import one_line
from stages.common.npy import npy_header
from stages.media.medium import Decoded, UnusableError
from stages.media.scans import Spacing, scan_in
from stages.media.slices import is_series, series_in

if TYPE_CHECKING:
    from stages.common.params import Normalize

STARTS = (b"\x93NUMPY", b"PK\x03\x04")
"""The first bytes of npy and of npz."""
_EVEN: Spacing = (1.0, 1.0, 1.0)
Size = tuple[int, int, int]
Shares = npt.NDArray[np.float32]


def decoded(
    content: bytes, to: "Normalize", size: Size, most: int, *, empty: float | None, occupied: float | None
) -> Decoded:
    """The volume `[C,*size]` of an array `[H,D,W]` or `[C,H,D,W]`, or of a scan. Raises UnusableError."""
    array, spacing, kind = _numbers_in(content, most)
    cells = array[None] if array.ndim == 3 else array
    if cells.ndim != 4 or len(cells) != to.channels or not cells.size:
        raise UnusableError(
            f"it is of the shape {list(array.shape)}, not [height, depth, width] of {to.channels} channels"
        )
    shares = _fitted(occupied_shares(cells, empty, occupied), size, to, spacing)
    return Decoded(shares * np.float32(2) - np.float32(1), kind, cells.shape)


def _numbers_in(content: bytes, most: int) -> tuple[npt.NDArray[Any], Spacing, str]:
    """The array, the size of its cells, and the kind of its file."""
    if is_series(content):
        return *series_in(content, most), "dicom"
    if content.startswith(STARTS):
        return array_in(content, most), _EVEN, "npy"
    return *scan_in(content, most), "nifti"


def ends_to_say(content: bytes, most: int) -> tuple[float, float] | None:
    """The smallest and the largest number of a volume whose numbers do not show what is empty and what is occupied.

    None if they show it, and for a broken file, which `decoded` reports.
    """
    try:
        array, *_ = _numbers_in(content, most)
    except UnusableError:
        return None
    if array.dtype.kind not in "buif" or not array.size or not np.isfinite(array).all():
        return None
    try:
        occupied_shares(array)
    except UnusableError:
        return float(array.min()), float(array.max())
    return None


def npy(values: npt.NDArray[Any]) -> bytes:
    """The content of an npy file with these values."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(values), allow_pickle=False)
    return file.getvalue()


def array_in(content: bytes, most: int) -> npt.NDArray[Any]:
    """The array of an npy, or the only one of an npz, of at most `most` numbers. Raises UnusableError."""
    if content.startswith(STARTS[1]):
        content = _only_member(content, most)
    try:
        shape, _, dtype = npy_header(io.BytesIO(content))
        if dtype.hasobject:
            raise UnusableError("it holds Python objects, as pickles, which are never read")
        if prod(shape) > most:
            raise UnusableError(f"it says it has {prod(shape)} numbers, over ingest.max_pixels ({most})")
        array: npt.NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OverflowError) as error:
        raise UnusableError(f"it is no NumPy array ({one_line(error)})") from None
    return array


def _only_member(content: bytes, most: int) -> bytes:
    """The only npy in an npz, which unpacks to at most `most` numbers of 16 bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            members = packed.infolist()
            if len(members) != 1:
                raise UnusableError(f"it holds {len(members)} arrays: one is a volume")
            with packed.open(members[0]) as member:
                largest = 16 * most + 2**16
                unpacked = member.read(largest + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, zlib.error) as error:
        raise UnusableError(f"it is no whole npz ({one_line(error)})") from None
    if len(unpacked) > largest:
        raise UnusableError(f"it unpacks to more than ingest.max_pixels ({most}) numbers")
    return unpacked


def occupied_shares(values: npt.NDArray[Any], empty: float | None = None, occupied: float | None = None) -> Shares:
    """The occupied share of each cell, in [0,1].

    If `empty` and `occupied` are None: bools, and numbers that are all 0 or 1, are the shares themselves; other 8-bit
    numbers go from 0 to 255; other fractions, if some are below 0, from -1 to 1. Else raises UnusableError.
    """
    if values.dtype.kind not in "buif":
        raise UnusableError(f"it holds {values.dtype}, no numbers")
    if not np.isfinite(values).all():
        raise UnusableError("some of its numbers are not finite")
    if empty is None or occupied is None:
        empty, occupied = _ends_of(values)
    shares: Shares = ((values.astype(np.float64) - empty) / (occupied - empty)).astype(np.float32)
    if shares.size and not (shares.min() >= 0 and shares.max() <= 1):
        raise UnusableError(
            f"it has numbers from {values.min():g} to {values.max():g}, outside {empty:g} to {occupied:g}: set "
            "ingest.options.empty and occupied"
        )
    return shares


def _ends_of(values: npt.NDArray[Any]) -> tuple[float, float]:
    if values.dtype.kind == "b" or not ((values != 0) & (values != 1)).any():
        return 0.0, 1.0
    if values.dtype == np.uint8:
        return 0.0, 255.0
    if values.dtype.kind == "f" and values.min() < 0:
        return -1.0, 1.0
    raise UnusableError(
        f"it holds {values.dtype} from {values.min():g} to {values.max():g}: set ingest.options.empty and occupied "
        "to what is empty and what is occupied"
    )


def _fitted(shares: Shares, target: Size, to: "Normalize", spacing: Spacing) -> Shares:
    """Shares `[C,H,D,W]` at the size `target`. Joined cells get the largest share, so that nothing thin is lost.

    letterbox keeps the proportions, on the ground and in the middle, with empty cells around.
    """
    sizes = shares.shape[1:]
    lengths = [size * one for size, one in zip(sizes, spacing, strict=True)]
    scale = min(wanted / length for wanted, length in zip(target, lengths, strict=True))
    inner = target if to.fit == "resize" else tuple(max(1, round(length * scale)) for length in lengths)
    if to.upscale == "refuse" and any(wanted > size for wanted, size in zip(inner, sizes, strict=True)):
        raise UnusableError(
            f"it would have to be enlarged from {' x '.join(map(str, sizes))} to {' x '.join(map(str, inner))} cells, "
            "which normalize.upscale refuses"
        )
    for axis, wanted in enumerate(inner, 1):
        shares = _joined(shares, axis, wanted)
    before = [0, *((wanted - size) // 2 for wanted, size in zip(target[1:], inner[1:], strict=True))]
    around = [(first, wanted - size - first) for first, wanted, size in zip(before, target, inner, strict=True)]
    return np.pad(shares, [(0, 0), *around])


def _joined(values: Shares, axis: int, count: int) -> Shares:
    """`count` slices along an axis, each the maximum of the slices that it covers, fully or partly."""
    size = values.shape[axis]
    if size == count:
        return values
    slices = [
        values.take(range(number * size // count, ceil((number + 1) * size / count)), axis).max(axis)
        for number in range(count)
    ]
    return np.stack(slices, axis)
