"""Volumes: shapes in cells, each occupied to some share.

The axes of a volume `[C,H,D,W]` go up, to the front and to the right: `[:, 0]` is its bottom (docs/volumes.md).
Occupied is 1 and empty -1; values above 0 count as occupied. Files are NumPy arrays, scans, or meshes, which normalize
turns into cells.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from mintage.metrics import Metric
from stages.media.medium import Decoded, Medium, Shape, Trait, Words

if TYPE_CHECKING:
    from torch import Tensor

    from stages.common.levels import FloatImages, Levels
    from stages.common.params import Normalize

Up = Literal["y", "z"]
_SIDE = 64
"""Pixels of a view, in height and width."""
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
        "The share of a shape's occupied cells in its largest connected part.",
        "connected components, corners included",
        "share",
        needs="shapes",
        guard_only="a solid block made over and over scores better than real shapes",
    ),
}


@dataclass(frozen=True)
class Volumes(Medium):
    """Arrays, whose values go from `empty` to `occupied`, or meshes whose axis `up` points up."""

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
    task = "other"
    unconditional_family = "gan3d"

    empty: float | None = None
    occupied: float | None = None
    """If `empty` and `occupied` are None, `cells.occupied_shares` decides by the array's type."""
    up: Up = "y"

    @property
    def judged_by(self) -> Mapping[str, float]:
        return {"shape_coverage": 0.0, "neighbor_accuracy": 1.0}

    def describe(self, shape: Shape) -> str:
        """Such as "16×16×16-cell": width first."""
        return "×".join(str(side) for side in (shape[3], shape[2], shape[1])) + "-cell"

    def decode(self, content: bytes, to: "Normalize", most: int) -> Decoded:
        """An array `[H,D,W]` or `[C,H,D,W]` in npy or alone in npz, a scan in NIfTI, or a mesh: OBJ, STL, PLY, OFF."""
        from stages.media import cells, meshes, scans  # they need NumPy, which a flow that only knows metrics lacks

        size = (to.height, to.depth or 0, to.width)
        if content.startswith(cells.STARTS) or scans.is_scan(content):
            return cells.decoded(content, to, size, most, empty=self.empty, occupied=self.occupied)
        return meshes.decoded(content, to, size, self.up)

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """An npy of 8 bits, `[H,D,W]` for one channel: 0 is empty, 255 occupied, and so is all above 127."""
        from stages.common.levels import to_uint8
        from stages.media.cells import npy

        levels = to_uint8(sample)
        return npy(levels[0] if len(levels) == 1 else levels), "npy"

    def to_open(self, content: bytes, suffix: str, comment: str) -> tuple[bytes, str] | None:
        """A mesh in OBJ, in units of cells."""
        import numpy as np
        import torch

        from mintage.volumes import obj_of

        levels = torch.from_numpy(np.load(io.BytesIO(content), allow_pickle=False))
        volume = (levels if levels.ndim == 4 else levels[None]) / 127.5 - 1
        return (obj_of(volume, comment).encode(), "obj") if (volume > 0).any() else None

    def cell(self, shape: Shape) -> tuple[int, int]:
        return _SIDE, _SIDE

    def pixels(self, samples: "FloatImages") -> "Levels":
        """Views from the front, a little from the right and from above."""
        import torch

        from mintage.volumes import shaded_views
        from stages.common.levels import to_uint8

        return to_uint8(shaded_views(torch.from_numpy(samples), _SIDE).numpy())

    def measure(self, samples: "Tensor", held_out: "Tensor") -> dict[str, float]:
        """Metrics on equal numbers of both; the larger set is sampled."""
        import torch

        from mintage.metrics.voxels import shape_figures
        from mintage.randomness import stream

        count = min(len(samples), len(held_out))
        drawn = [torch.randperm(len(some), generator=stream(0, "shapes"))[:count] for some in (samples, held_out)]
        return shape_figures(held_out[drawn[1]], samples[drawn[0]])
