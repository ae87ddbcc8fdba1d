"""Volumes as pictures and as meshes: shaded views by parallel rays, and closed surfaces for other programs."""

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, pad

_LIGHT = torch.tensor([0.45, 0.7, 0.55])
"""Direction towards the light: right, up, to the front."""
_AMBIENT, _WHITE = 0.25, 1.0
_DIAGONAL = math.sqrt(3)


def shaded_views(volumes: Tensor, side: int = 64, azimuth: float = 35.0, elevation: float = 25.0) -> Tensor:
    """Pictures `[N,1,side,side]` in [-1,1] of volumes `[N,C,D,H,W]` in [-1,1], occupied where a channel is above 0.

    The first axis points up, the second to the front, the third to the right. The viewer is in front, turned by
    `azimuth` degrees to the right and `elevation` degrees up. Surfaces are lit by their slope; the background is white.
    """
    occupied = (volumes > 0).any(1)
    framed = pad(occupied, (1, 1, 1, 1, 1, 1))  # empty all around, for rays that miss
    places = _places(framed.shape[1:], side, azimuth, elevation)
    hits = framed.flatten(1)[:, places]  # [N, steps, side, side], the nearest first
    found, first = hits.any(1), hits.float().argmax(1)
    rows = torch.arange(side)
    where = places[first, rows[:, None], rows]  # [N, side, side]
    light = _lit(framed).flatten(1).gather(1, where.flatten(1)).view_as(where)
    return torch.where(found, light, _WHITE)[:, None] * 2 - 1


def _places(size: torch.Size, side: int, azimuth: float, elevation: float) -> Tensor:
    """The number of the cell that each ray is in at each step, `[steps, side, side]`, the nearest first.

    Outside the volume it is the first cell, which is empty.
    """
    turned, raised = math.radians(azimuth), math.radians(elevation)
    towards = torch.tensor([math.sin(turned) * math.cos(raised), math.sin(raised), math.cos(turned) * math.cos(raised)])
    right = torch.tensor([math.cos(turned), 0.0, -math.sin(turned)])
    up = torch.linalg.cross(towards, right)
    reach = _DIAGONAL * max(size) / 2
    across = torch.linspace(-reach, reach, side) * 0.8  # no shape fills the corners of its box
    depth = torch.arange(reach, -reach, -0.5)
    points = (
        depth[:, None, None, None] * towards + across.flip(0)[None, :, None, None] * up + across[:, None] * right
    )  # [steps, side, side, 3]: right, up, front
    cells = (points[..., [1, 2, 0]] + (torch.tensor(size) - 1) / 2).round().long()
    inside = ((cells >= 0) & (cells < torch.tensor(size))).all(-1)
    numbers = (cells[..., 0] * size[1] + cells[..., 1]) * size[2] + cells[..., 2]
    return numbers * inside


def _lit(occupied: Tensor) -> Tensor:
    """How bright the surface is at each cell `[N,D,H,W]`, in [0,1), by the direction of its emptiest neighbors."""
    smooth = avg_pool3d(occupied[:, None].float(), 3, 1, 1)
    up, front, right = torch.gradient(avg_pool3d(smooth, 3, 1, 1)[:, 0], dim=(1, 2, 3))
    outward = -torch.stack([right, up, front], -1)
    outward = outward / outward.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    slope = (outward @ (_LIGHT / _LIGHT.norm())).clamp(min=0)
    return _AMBIENT + (0.9 - _AMBIENT) * slope


def surface_of(volume: Tensor) -> tuple[Tensor, Tensor]:
    """The surface of a volume `[C,D,H,W]` in [-1,1]: corners `[V,3]` and triangles `[T,3]`, which name their corners.

    A corner is (right, up, front) in cells, from 0 to the volume's sides. Each face between an occupied cell and an
    empty one is two triangles, counterclockwise seen from outside. So the surface is closed: along each edge as many
    triangles run one way as the other. An empty volume has no triangles.
    """
    occupied = pad((volume > 0).any(0), (1, 1, 1, 1, 1, 1))
    faces = []
    for axis in range(3):
        along = torch.eye(3, dtype=torch.long)[axis]
        first, second = (torch.eye(3, dtype=torch.long)[(axis + turn) % 3] for turn in (1, 2))
        before, after = (occupied.narrow(axis, start, occupied.shape[axis] - 1) for start in (0, 1))
        for cells, order in ((before & ~after, (0, 1, 2, 3)), (after & ~before, (3, 2, 1, 0))):
            corner = cells.nonzero() + along - 1  # without the padding
            around = [corner, corner + first, corner + first + second, corner + second]
            faces.append(torch.stack([around[place] for place in order], 1))
    corners, numbers = torch.unique(torch.cat(faces).flatten(0, 1), dim=0, return_inverse=True)
    # (up, front, right) to (right, up, front) is a rotation, so triangles keep their orientation.
    return corners[:, [2, 0, 1]], numbers.view(-1, 4)[:, [0, 1, 2, 0, 2, 3]].view(-1, 3)


def obj_of(volume: Tensor, comment: str = "") -> str:
    """The surface of a volume `[C,D,H,W]` in [-1,1] as a Wavefront OBJ, upright along y, its front to z.

    `comment` is its first line. Raises ValueError if the volume is empty.
    """
    corners, triangles = surface_of(volume)
    if not len(triangles):
        raise ValueError("the volume is empty, so it has no surface: no cell is above 0")
    lines = [f"# {comment}"] if comment else []
    lines += [f"v {x} {y} {z}" for x, y, z in corners.tolist()]
    lines += [f"f {a} {b} {c}" for a, b, c in (triangles + 1).tolist()]
    return "\n".join(lines) + "\n"


def save_obj(path: str | Path, volume: Tensor) -> None:
    """Write the surface of a volume as `obj_of` gives it. Raises ValueError if the volume is empty.

    Example:
        >>> import torch, tempfile
        >>> from pathlib import Path
        >>> cube = torch.ones(1, 1, 1, 1)
        >>> path = Path(tempfile.mkdtemp()) / "cube.obj"
        >>> save_obj(path, cube)
        >>> [path.read_text().count(kind) for kind in ("v ", "f ")]
        [8, 12]
    """
    Path(path).write_text(obj_of(volume))
