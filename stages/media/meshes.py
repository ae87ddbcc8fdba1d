"""Meshes to cells: the cells that the surface goes through, and the cells that it encloses.

Meshes are read by trimesh, which is no part of the usual install. A surface with holes encloses nothing there: of such
a mesh only the surface is taken.
"""

import io
import struct
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from stages.common.errors import one_line
from stages.common.readers import require_reader
from stages.media.medium import Decoded, UnusableError

if TYPE_CHECKING:
    from stages.common.params import Normalize

MOST_FACES = 2_000_000
_MOST_PLACES, _AT_ONCE = 2**28, 2**21
"""Most places that are sampled on a surface, in total and at once."""
_STEP = 0.5
"""Longest distance, in cells, from one place on a surface to the next."""
_ROUNDING, _TINY = 1e-9, 1e-6
_HEAD = 2**12

Cells = npt.NDArray[np.bool_]
Places = npt.NDArray[np.float64]
Size = tuple[int, int, int]


def decoded(content: bytes, to: "Normalize", size: Size, up: str) -> Decoded:
    """The volume `[C,*size]` of a mesh, equal in each channel. Raises UnusableError."""
    cells, kind = cells_of(content, size, to.fit, up)
    values = np.where(cells, np.float32(1), np.float32(-1))
    return Decoded(np.broadcast_to(values, (to.channels, *size)), kind, (1, 0, 0, 0))


def cells_of(content: bytes, size: Size, fit: str, up: str) -> tuple[Cells, str]:
    """The cells `[H,D,W]` of a mesh, True where it is, and its format.

    With `fit` "resize" the box around it is stretched to the size; with "letterbox" it keeps its proportions, on the
    ground and in the middle. Raises UnusableError.
    """
    kind = _format_of(content)
    vertices, faces = _read(content, kind)
    # To (up, front, right).
    placed = vertices[:, [1, 2, 0]] if up == "y" else vertices[:, [2, 1, 0]] * (1, -1, 1)
    surface = surface_cells(_in_cells(placed, size, fit)[faces], size)
    return surface | ~_outside(surface), kind


def _format_of(content: bytes) -> str:
    """The format, by the first bytes; OBJ is the format without any."""
    head = content[:_HEAD].lstrip()
    if head.startswith(b"ply"):
        return "ply"
    if head[:4].upper().endswith(b"OFF") or head[:3].upper() == b"OFF":
        return "off"
    binary = len(content) >= 84 and len(content) == 84 + 50 * struct.unpack_from("<I", content, 80)[0]
    if binary or (head.startswith(b"solid") and b"facet" in content[: 2 * _HEAD]):
        return "stl"
    return "obj"


def _read(content: bytes, kind: str) -> tuple[Places, npt.NDArray[np.int64]]:
    """Vertices `[V,3]` that are used, and triangles `[F,3]` of them."""
    require_reader("trimesh")
    import trimesh

    try:
        options: dict[str, Any] = {"skip_materials": True} if kind == "obj" else {}
        mesh = trimesh.load_mesh(io.BytesIO(content), file_type=kind, process=False, **options)
        vertices, faces = np.asarray(mesh.vertices, np.float64), np.asarray(mesh.faces, np.int64)
    except Exception as error:  # trimesh raises nearly anything on damaged bytes
        raise UnusableError(f"it is no array, and no mesh in OBJ, STL, PLY or OFF ({one_line(error)})") from None
    if not faces.size:
        raise UnusableError("it is no array, and a mesh without faces")
    if len(faces) > MOST_FACES:
        raise UnusableError(f"it has {len(faces):,} triangles, more than {MOST_FACES:,}: simplify it")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise UnusableError("it is no array, and a mesh whose faces name corners that are not there")
    used, renamed = np.unique(faces, return_inverse=True)
    vertices = vertices[used]
    if not np.isfinite(vertices).all():
        raise UnusableError("some of its corners are at no finite place")
    return vertices, renamed.reshape(-1, 3)


def _in_cells(vertices: Places, size: Size, fit: str) -> Places:
    """Corners `[V,3]` in cells from the bottom, the back and the left."""
    low, high = vertices.min(0), vertices.max(0)
    with np.errstate(all="ignore"):
        extent = high - low
        if not (np.isfinite(extent).all() and extent.max() > 0):
            raise UnusableError("its corners are all at one place, or too far apart for numbers")
        scales = np.where(extent > 1e-9 * extent.max(), np.array(size) / extent, np.inf)
    scale = np.full(3, scales.min()) if fit == "letterbox" else np.where(np.isfinite(scales), scales, scales.min())
    beside = (np.array(size) - extent * scale) / 2
    beside[0] = 0.0  # it stands on the ground
    placed: Places = (vertices - low) * scale + beside
    return placed


def surface_cells(triangles: Places, size: Size) -> Cells:
    """The cells `[H,D,W]` that triangles `[F,3,3]`, in cells, go through.

    If a line between the centers of two neighbor cells meets a triangle, one of the two cells is found: so a closed
    surface has no gap between faces of cells. For thin parts, cells of places half a cell apart on triangles are added.
    A cell that is only cut at a corner may be missed. A surface between two cells belongs to the cell behind it.
    """
    cells = np.zeros(size, np.bool_)
    most = np.array(size) - 1
    inward = _inward(triangles)
    met = (_places_met(triangles, inward, axis) for axis in range(3))
    for places in chain(_places_on(triangles, inward), *met):
        where = np.clip(np.floor(places).astype(np.int64), 0, most)
        cells[where[:, 0], where[:, 1], where[:, 2]] = True
    return cells


def _places_on(triangles: Places, inward: Places) -> Iterator[Places]:
    """Places `[P,3]` on triangles, `_STEP` or less apart."""
    corners = _shortest_first(triangles)
    longer = np.linalg.norm(corners[:, 2] - corners[:, 0], axis=1)
    steps = np.maximum(np.ceil(longer / _STEP), 1).astype(np.int64)
    for step, same in _alike(steps, (steps + 1) * (steps + 2) // 2):
        along, aside = np.nonzero(np.add.outer(np.arange(step + 1), np.arange(step + 1)) <= step)
        weights = np.stack([step - along - aside, along, aside], 1) / step * (1 - _TINY) + _TINY / 3  # off the edges
        yield (np.einsum("pk,fkd->fpd", weights, corners[same]) + inward[same, None]).reshape(-1, 3)


def _places_met(triangles: Places, inward: Places, axis: int) -> Iterator[Places]:
    """Places `[P,3]` where lines along an axis, through the centers of cells, meet triangles."""
    aside = [other for other in range(3) if other != axis]
    flat = triangles[:, :, aside] - 0.5  # centers are whole numbers
    first, last = np.ceil(flat.min(1)).astype(np.int64), np.floor(flat.max(1)).astype(np.int64)
    spans = (last - first + 1).clip(0)
    for span, same in _alike(np.where(spans.min(1) > 0, spans.max(1), 0), spans.max(1) ** 2):
        lines = first[same, None] + np.stack(np.divmod(np.arange(span * span), span), 1)  # [F,P,2]
        a, b, c = (flat[same, None, corner] for corner in range(3))
        with np.errstate(all="ignore"):  # a triangle parallel to the lines is met along another axis
            whole = _cross(b - a, c - a)
            to_b, to_c = _cross(lines - a, c - a) / whole, _cross(b - a, lines - a) / whole
            met = (to_b >= -_ROUNDING) & (to_c >= -_ROUNDING) & (to_b + to_c <= 1 + _ROUNDING)
        at_a, at_b, at_c = triangles[same][:, :, axis, None].swapaxes(0, 1)  # of each corner [F,1]
        found = np.empty((*met.shape, 3))
        found[..., aside] = lines + 0.5
        found[..., axis] = at_a + np.where(met, to_b, 0) * (at_b - at_a) + np.where(met, to_c, 0) * (at_c - at_a)
        yield (found + inward[same, None])[met]


def _inward(triangles: Places) -> Places:
    """A tiny step `[F,3]` from each triangle to its back, the side from which its corners are clockwise."""
    across = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    step: Places = -_TINY * across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-300)
    return step


def _alike(kinds: npt.NDArray[np.int64], places: npt.NDArray[np.int64]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Groups of triangles of one kind above 0: the kind, and the triangles' numbers; `places` `[F]` limits a group."""
    if places[kinds > 0].sum() > _MOST_PLACES:
        raise UnusableError("it has more surface than can be looked at: simplify it")
    for kind in np.unique(kinds[kinds > 0]):
        same = np.flatnonzero(kinds == kind)
        together = max(1, _AT_ONCE // int(places[same].max()))
        for start in range(0, len(same), together):
            yield int(kind), same[start : start + together]


def _cross(one: Places, other: Places) -> Places:
    found: Places = one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0]
    return found


def _shortest_first(triangles: Places) -> Places:
    """Triangles with reordered corners: the first has the two shorter edges, the shortest goes to the second."""
    opposite = np.stack(
        [np.linalg.norm(triangles[:, (k + 1) % 3] - triangles[:, (k + 2) % 3], axis=1) for k in range(3)], 1
    )
    order = np.argsort(-opposite, axis=1, kind="stable")  # the corner opposite the longest edge
    first, second, third = order[:, 0], order[:, 1], order[:, 2]
    rows = np.arange(len(triangles))
    return np.stack([triangles[rows, first], triangles[rows, third], triangles[rows, second]], 1)


def _outside(surface: Cells) -> Cells:
    """The cells connected to the outside, face to face, without crossing the surface."""
    free = np.pad(~surface, 1, constant_values=True)
    outside = np.zeros_like(free)
    outside[0] = True
    while True:
        spread = outside.copy()
        for axis in range(3):
            ahead, behind = np.moveaxis(spread, axis, 0), np.moveaxis(outside, axis, 0)
            ahead[1:] |= behind[:-1]
            ahead[:-1] |= behind[1:]
        spread &= free
        if np.array_equal(spread, outside):
            return outside[1:-1, 1:-1, 1:-1]
        outside = spread
