"""What is found of planted copies: `dvc repro evaluator`, then `python -m benchmarks.copies`.

Training images, or volumes, that the pipeline normalized here are changed in one way each, and looked for by the
evaluator's features, in pixels or cells, and as `select` does; so are held-out ones, which should not be found. Prints
a table.
"""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from benchmarks.options import natural
from mintage.evaluator import features_of
from mintage.metrics.copies import IN_FEATURES, copied_in_features, copied_in_thumbnails, originals
from mintage.metrics.distances import nearest_rows
from mintage.metrics.thumbnails import block_of, thumbnails
from mintage.randomness import stream
from stages.common.errors import UserError, run_stage
from stages.common.levels import to_uint8
from stages.common.models import read_evaluator
from stages.common.reading import batches_of
from stages.common.split import Split
from stages.common.stage import parser_of
from stages.selection.extraction import quantize

DATA = Path("data/normalized")
_OF_PICTURES = 3


def noisy(images: Tensor, deviation: float) -> Tensor:
    return images + deviation * torch.randn(images.shape, generator=stream(0, "noise"))


def moved(images: Tensor) -> Tensor:
    """Images shifted by a pixel in one of eight directions, with repeated edges."""
    height, width = images.shape[2:]
    moves = [(down, right) for down in range(3) for right in range(3) if (down, right) != (1, 1)]
    wide = F.pad(images, (1, 1, 1, 1), mode="replicate")
    corners = (moves[index % len(moves)] for index in range(len(wide)))
    return torch.stack([one[:, y : y + height, x : x + width] for one, (y, x) in zip(wide, corners, strict=True)])


def less_contrast(images: Tensor) -> Tensor:
    means = images.mean((1, 2, 3), keepdim=True)
    return means + 0.7 * (images - means)


def through_jpeg(images: Tensor) -> Tensor:
    found = []
    for levels in to_uint8(images.numpy()).transpose(0, 2, 3, 1):
        file = io.BytesIO()
        Image.fromarray(levels.squeeze()).save(file, "JPEG", quality=75)
        found.append(np.asarray(Image.open(file)).reshape(levels.shape))
    return torch.from_numpy(np.stack(found)).permute(0, 3, 1, 2) / 127.5 - 1


CHANGES: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda images: images,
    "noise, standard deviation 0.05 of [-1,1]": lambda images: noisy(images, 0.05),
    "noise, 0.1": lambda images: noisy(images, 0.1),
    "moved by a pixel": moved,
    "moved, and noise of 0.05": lambda images: noisy(moved(images), 0.05),
    "brightness + 0.2": lambda images: images + 0.2,
    "brightness x 1.2": lambda images: 1.2 * (images + 1) - 1,
    "contrast x 0.7": less_contrast,
    "JPEG, quality 75": through_jpeg,
    "mirrored (not claimed)": lambda images: images.flip(3),
}


def moved_cells(volumes: Tensor) -> Tensor:
    """Volumes shifted by a cell in one of six directions; the cells that come in are empty."""
    wide = F.pad(volumes, (1,) * 6, value=-1.0)
    places = [tuple(1 + sign * (axis == side) for axis in range(3)) for side in range(3) for sign in (-1, 1)]
    corners = (places[index % len(places)] for index in range(len(wide)))
    up, front, right = volumes.shape[2:]
    return torch.stack(
        [one[:, z : z + up, y : y + front, x : x + right] for one, (z, y, x) in zip(wide, corners, strict=True)]
    )


def flipped_cells(volumes: Tensor, share: float, at_surface: bool = False) -> Tensor:
    """Volumes with a share of their cells flipped between occupied and empty, of those at the surface or of all."""
    around = F.avg_pool3d((volumes > 0).float(), 3, 1, 1)
    may = (around > 0) & (around < 1) if at_surface else torch.ones_like(around, dtype=torch.bool)
    drawn = torch.rand(volumes.shape, generator=stream(0, "cells")) < share
    return torch.where(may & drawn, -volumes, volumes)


CHANGES_OF_VOLUMES: dict[str, Callable[[Tensor], Tensor]] = {
    "none": lambda volumes: volumes,
    "turned by a quarter": lambda volumes: volumes.rot90(1, (3, 4)),
    "mirrored": lambda volumes: volumes.flip(4),
    "moved by a cell": moved_cells,
    "turned, mirrored and moved": lambda volumes: moved_cells(volumes.rot90(3, (3, 4)).flip(4)),
    "1% of cells flipped": lambda volumes: flipped_cells(volumes, 0.01),
    "5% of cells at the surface flipped": lambda volumes: flipped_cells(volumes, 0.05, at_surface=True),
    "20% of cells at the surface flipped (not claimed)": lambda volumes: flipped_cells(volumes, 0.2, at_surface=True),
}


def table(planted: int) -> Iterator[str]:
    """A line for each change, and one for the holdout: the shares that are found."""
    evaluator, _ = read_evaluator("models/evaluator", torch.device("cpu"))
    train, holdout = Split(DATA / "train"), Split(DATA / "holdout")
    features = torch.cat([features_of(evaluator, images) for images in batches_of(train)])
    found_in = originals(torch.cat([thumbnails(images) for images in batches_of(train)]), block_of(train.shape[1:]))
    if found_in is None:
        raise UserError("images-too-flat", f"{DATA}/train holds flat images alone, and those are no copies")
    changes, looked_in = (CHANGES, "pixels") if len(train.shape) == _OF_PICTURES else (CHANGES_OF_VOLUMES, "cells")
    yield f"| change | in features | in {looked_in} | near copies (the larger) | before: the two nearest in features |"
    yield "| --- | --- | --- | --- | --- |"
    chosen = torch.randperm(len(train), generator=stream(0, "planted"))[:planted]
    sources = torch.from_numpy(train.take(chosen.numpy()))
    sets = {name: quantize(change(sources).clamp(-1, 1)) for name, change in changes.items()}
    for name, images in (sets | {"none, but held out": torch.from_numpy(holdout.images())}).items():
        found = features_of(evaluator, images)
        by_features = share(copied_in_features(found, features))
        by_pixels = share(copied_in_thumbnails(thumbnails(images), found_in))
        nearest, _ = nearest_rows(found, features, 2)
        before = share(nearest[:, 0] <= IN_FEATURES**2 * nearest[:, 1])
        yield f"| {name} | {by_features} | {by_pixels} | {max(by_features, by_pixels)} | {before} |"


def share(found: Tensor) -> float:
    return round(found.double().mean().item(), 4)


def main() -> None:
    parser = parser_of("benchmarks.copies", __doc__)
    parser.add_argument("--planted", type=natural, default=400, help="training images changed in each way")
    arguments = parser.parse_args()
    if not (DATA / "manifest.json").exists():
        raise UserError("output-missing", f"{DATA} holds no images: run `dvc repro evaluator` first")
    for line in table(arguments.planted):
        print(line)


if __name__ == "__main__":
    run_stage(main)
