"""Volumes: shapes in cells, of each of which the data say how far it is occupied.

A volume `[C,H,D,W]` has its axes up, to the front and to the right: `[:, 0]` is its bottom (docs/volumes.md). Occupied
is 1 and empty -1; what is above 0 counts as occupied. Files are NumPy arrays, or meshes, which normalize turns into
cells.
"""

import io
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, prod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from mintage.metrics import Metric
from stages.media.medium import Decoded, Medium, Shape, Trait, UnusableError, Words

if TYPE_CHECKING:
    from torch import Tensor

    from stages.common.levels import FloatImages, Levels
    from stages.common.params import Normalize

Up = Literal["y", "z"]
_SIDE = 64
"""Pixels of a view."""
_ARRAY, _PACKED = b"\x93NUMPY", b"PK\x03\x04"
_METRICS = {
    "shape_coverage": Metric(
        "shape coverage",
        "shape_coverage_floor",
        "max",
        "The share of held-out shapes that are the nearest to some generated one, by intersection over union.",
        "Achlioptas et al. 2018",
        "share",
        needs="shapes",
        guard_only="real shapes with light noise over them score as well",
    ),
    "neighbor_accuracy": Metric(
        "1-nearest-neighbor accuracy",
        "neighbor_accuracy_floor",
        "min",
        "How often the nearest other shape, by intersection over union, is of the same kind, real or generated: 50% is "
        "not to be told apart, 100% always.",
        "Lopez-Paz and Oquab 2017",
        "share",
        needs="shapes",
        guard_only="noise, whose nearest neighbors are real shapes, scores as well as these",
    ),
    "largest_part": Metric(
        "largest part",
        "largest_part_floor",
        "max",
        "The share of a shape's occupied cells that hang together.",
        "connected components, corners included",
        "share",
        needs="shapes",
        guard_only="a solid block made over and over scores better than real shapes",
    ),
}


@dataclass(frozen=True)
class Volumes(Medium):
    """Arrays, whose values are `empty` and `occupied` at their ends, or meshes that stand upright along `up`."""

    name = "volumes"
    words = Words("volume", "a volume", "volumes", "cell", "empty or full")
    sides: ClassVar[tuple[str, ...]] = ("height", "depth", "width")
    fits: ClassVar[tuple[str, ...]] = ("resize", "letterbox")
    lacks: ClassVar[Mapping[Trait, str]] = {
        "picture files": "volumes are arrays of cells, or meshes",
        "looks": "volumes are compared cell by cell, not by their looks",
        "spectrum": "volumes have no spectrum of a picture",
    }
    offers: ClassVar[Mapping[str, str]] = {"shapes": "volumes"}
    metrics = _METRICS
    judged_by: ClassVar[Mapping[str, float]] = {"shape_coverage": 0.0, "neighbor_accuracy": 1.0}
    unconditional_family = "gan3d"

    empty: float | None = None
    occupied: float | None = None
    """None of both: as `shares` knows it of the type."""
    up: Up = "y"

    def describe(self, shape: Shape) -> str:
        """Such as 16×16×16-cell: width first."""
        return "×".join(str(side) for side in (shape[3], shape[2], shape[1])) + "-cell"

    def decode(self, content: bytes, to: "Normalize", most: int) -> Decoded:
        """An array `[H,D,W]` or `[C,H,D,W]`, in npy or alone in npz, or a mesh: OBJ, STL, PLY or OFF."""
        _, *target = to.shape_of(self.sides)
        if not content.startswith((_ARRAY, _PACKED)):
            from stages.media.meshes import cells_of

            cells, kind = cells_of(content, (target[0], target[1], target[2]), to.fit, self.up)
            values = np.broadcast_to(np.where(cells, np.float32(1), np.float32(-1)), (to.channels, *target))
            return Decoded(values, kind, (1, 0, 0, 0))
        array = array_in(content, most)
        cells = array[None] if array.ndim == 3 else array
        if cells.ndim != 4 or len(cells) != to.channels or not cells.size:
            raise UnusableError(
                f"it is of the shape {list(array.shape)}, not [height, depth, width] of {to.channels} channels"
            )
        shares = occupied_shares(cells, self.empty, self.occupied)
        fitted = _fitted(shares, (target[0], target[1], target[2]), to)
        return Decoded(fitted * np.float32(2) - np.float32(1), "npy", cells.shape)

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """As npy of 8 bits, `[H,D,W]` where there is one channel: 0 is empty, 255 occupied, above 127 counts as it."""
        from stages.common.levels import to_uint8

        levels = to_uint8(sample)
        return npy(levels[0] if len(levels) == 1 else levels), "npy"

    def to_open(self, content: bytes, suffix: str, told: str) -> tuple[bytes, str] | None:
        """As a mesh in OBJ, in cells."""
        import torch

        from mintage.volumes import obj_of

        levels = np.load(io.BytesIO(content), allow_pickle=False)
        volume = torch.from_numpy((levels if levels.ndim == 4 else levels[None]).astype(np.float32) / 127.5 - 1)
        return (obj_of(volume, told).encode(), "obj") if (volume > 0).any() else None

    def cell(self, shape: Shape) -> tuple[int, int]:
        return _SIDE, _SIDE

    def pixels(self, samples: "FloatImages") -> "Levels":
        """Seen from the front, a little from the right and above."""
        import torch

        from mintage.volumes import shaded_views
        from stages.common.levels import to_uint8

        return to_uint8(shaded_views(torch.from_numpy(samples), _SIDE).numpy())

    def measure(self, samples: "Tensor", held_out: "Tensor") -> dict[str, float]:
        """Of as many of either, drawn where there are more."""
        import torch

        from mintage.metrics.voxels import shape_figures
        from mintage.randomness import stream

        count = min(len(samples), len(held_out))
        drawn = [torch.randperm(len(some), generator=stream(0, "shapes"))[:count] for some in (samples, held_out)]
        return shape_figures(held_out[drawn[1]], samples[drawn[0]])


def npy(values: npt.NDArray[Any]) -> bytes:
    """A file's content."""
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(values), allow_pickle=False)
    return file.getvalue()


def array_in(content: bytes, most: int) -> npt.NDArray[Any]:
    """The array of an npy, or the only one of an npz, of at most so many numbers. Raises UnusableError."""
    if content.startswith(_PACKED):
        content = _only_member(content, most)
    try:
        file = io.BytesIO(content)
        version = np.lib.format.read_magic(file)
        header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
        shape, _, dtype = header[version](file)
        if dtype.hasobject:
            raise UnusableError("it holds Python objects, as pickles, which are never read")
        if prod(shape) > most:
            raise UnusableError(f"it says it has {prod(shape)} numbers, over ingest.max_pixels ({most})")
        array: npt.NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, KeyError, EOFError, SyntaxError, OverflowError) as error:
        raise UnusableError(f"it is no NumPy array ({' '.join(str(error).split())[:100]})") from None
    return array


def _only_member(content: bytes, most: int) -> bytes:
    """The npy in an npz that holds one alone, and unpacks to no more than `most` numbers of 16 bytes."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            members = packed.infolist()
            if len(members) != 1:
                raise UnusableError(f"it holds {len(members)} arrays: one is a volume")
            with packed.open(members[0]) as member:
                largest = 16 * most + 2**16
                unpacked = member.read(largest + 1)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError, EOFError, ValueError, zlib.error) as error:
        raise UnusableError(f"it is no whole npz ({' '.join(str(error).split())[:100]})") from None
    if len(unpacked) > largest:
        raise UnusableError(f"it unpacks to more than ingest.max_pixels ({most}) numbers")
    return unpacked


def occupied_shares(
    values: npt.NDArray[Any], empty: float | None = None, occupied: float | None = None
) -> npt.NDArray[np.float32]:
    """How far each cell is occupied, in [0,1].

    Where `empty` and `occupied` are not said: truths, and numbers that are 0 or 1 alone, are what they say; other
    8 bits go from 0 to 255; other fractions from -1 to 1, where some are below 0. Raises UnusableError.
    """
    if values.dtype.kind not in "buif":
        raise UnusableError(f"it holds {values.dtype}, no numbers")
    if not np.isfinite(values).all():
        raise UnusableError("some of its numbers are not finite")
    if empty is None or occupied is None:
        empty, occupied = _ends_of(values)
    shares: npt.NDArray[np.float32] = ((values.astype(np.float64) - empty) / (occupied - empty)).astype(np.float32)
    if shares.size and not (shares.min() >= 0 and shares.max() <= 1):
        raise UnusableError(f"it has numbers outside {empty:g} to {occupied:g}: set ingest.options.empty and occupied")
    return shares


def _ends_of(values: npt.NDArray[Any]) -> tuple[float, float]:
    if values.dtype.kind == "b" or not ((values != 0) & (values != 1)).any():
        return 0.0, 1.0
    if values.dtype == np.uint8:
        return 0.0, 255.0
    if values.dtype.kind == "f" and values.min() < 0:
        return -1.0, 1.0
    raise UnusableError(
        f"it holds {values.dtype} from {values.min():g} to {values.max():g}: say in ingest.options.empty and occupied "
        "what is empty and what is occupied"
    )


def _fitted(shares: npt.NDArray[np.float32], target: tuple[int, int, int], to: "Normalize") -> npt.NDArray[np.float32]:
    """Shares `[C,H,D,W]` at the size `target`: where cells are joined the fullest counts, so that nothing thin is lost.

    letterbox keeps the proportions, on the ground and in the middle, with empty cells beside it.
    """
    sizes = shares.shape[1:]
    scale = min(wanted / size for wanted, size in zip(target, sizes, strict=True))
    inner = target if to.fit == "resize" else tuple(max(1, round(size * scale)) for size in sizes)
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


def _joined(values: npt.NDArray[np.float32], axis: int, count: int) -> npt.NDArray[np.float32]:
    """`count` slices along an axis, each the largest of those that it covers, wholly or in part."""
    size = values.shape[axis]
    if size == count:
        return values
    slices = [
        values.take(range(number * size // count, ceil((number + 1) * size / count)), axis).max(axis)
        for number in range(count)
    ]
    return np.stack(slices, axis)
