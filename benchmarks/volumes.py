"""Furniture from noise (Wu et al. 2016): figures beside held-out models, and beside models that are only blurred.

`python -m benchmarks.volumes FOLDER` prints a table, a row whenever it has learned twice as long, and writes
docs/volumes.png. FOLDER has `voxels.npz` with `solid` (uint8 `[N,4096]`, the packed bits of 32x32x32 cells, upright
first) and `furniture.csv` with a column `split`. A run that is stopped goes on from `--run`, a folder in it a seed.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool3d, max_pool3d

import mintage
from benchmarks.options import natural
from benchmarks.shared import png_of, row_of_draws
from mintage.dataset import Dataset
from mintage.metrics.voxels import neighbor_accuracy, shape_figures
from mintage.randomness import stream
from mintage.volumes import shaded_views
from stages.common.errors import run_stage
from stages.common.stage import parser_of

SIDE, COLUMNS = 32, 10
DRAWS = 3
"""Draws of each model, each with the holdout's number of shapes."""
IMAGES = (8_000, 16_000, 32_000, 64_000, 128_000)
WIDTHS, SHARES = (3, 5), (0.1, 0.2, 0.3, 0.4, 0.5)
"""Widths of the boxes that blur a model, and occupied shares of a box above which its middle is occupied."""
HEADER = "| shapes | coverage | 1-nearest-neighbor accuracy | largest part |\n| --- | --- | --- | --- |"


@dataclass(frozen=True)
class Furniture:
    """Models of furniture as voxels `[N,1,S,S,S]` in [-1,1]."""

    train: Tensor
    held: Tensor


def read(folder: Path, side: int) -> Furniture:
    """The models with `side` cells a side, each occupied if any of its cells in the finer grid is."""
    packed = np.load(folder / "voxels.npz", allow_pickle=False)["solid"]
    fine = torch.from_numpy(np.unpackbits(packed, axis=1)).view(-1, 1, SIDE, SIDE, SIDE).float()
    coarse = max_pool3d(fine, SIDE // side) * 2 - 1
    with open(folder / "furniture.csv", encoding="utf-8", newline="") as file:
        held = torch.tensor([row["split"] != "train" for row in csv.DictReader(file)])
    return Furniture(coarse[~held], coarse[held])


def blurred(draws: list[Tensor], held: Tensor) -> str:
    """The row of blurred and thresholded models, with the blur that is hardest to distinguish from the holdout."""

    def cut(models: Tensor, width: int, share: float) -> Tensor:
        return (avg_pool3d((models + 1) / 2, width, 1, width // 2) > share).float() * 2 - 1

    ways = [(width, share) for width in WIDTHS for share in SHARES]
    width, share = min(ways, key=lambda way: neighbor_accuracy(held, cut(draws[0], *way)))
    name = f"training models, blurred over {width} cells and cut at {share:g}"
    return line(name, held, [cut(models, width, share) for models in draws])


def line(name: str, held: Tensor, draws: list[Tensor]) -> str:
    """A row of the table: means over several draws, and the lowest and the highest."""
    return row_of_draws(name, [[*shape_figures(held, shapes).values()] for shapes in draws])


def trained(furniture: Furniture, images: int, seed: int, folder: Path) -> mintage.Model:
    """The family after `images` models, with first weights by the seed; it resumes from the folder."""
    data, place = Dataset(furniture.train), folder / f"seed{seed}"
    return mintage.train(data, "gan3d", images=images, seed=seed, folder=place, device="cpu").model


def sheet(real: Tensor, made: Tensor) -> bytes:
    """Two rows of models of the holdout, and four rows of generated ones below."""
    shown = torch.cat([real[: 2 * COLUMNS], made[: 4 * COLUMNS]])
    return png_of([shaded_views(shown)], COLUMNS)


def main() -> None:
    parser = parser_of("benchmarks.volumes", __doc__)
    parser.add_argument("folder", type=Path, help="with voxels.npz and furniture.csv")
    parser.add_argument("--side", type=natural, choices=(8, 16, 32), default=16, help="cells a side")
    parser.add_argument("--images", type=natural, default=64_000, help="models that it learns from, at most")
    parser.add_argument("--seeds", type=natural, default=1, help="trainings, each from other first weights")
    parser.add_argument("--run", type=Path, default=Path("runs/furniture"), help="where the trainings are kept")
    parser.add_argument("--picture", type=Path, default=Path("docs/volumes.png"))
    options = parser.parse_args()
    furniture = read(options.folder, options.side)
    count = len(furniture.held)
    orders = [torch.randperm(len(furniture.train), generator=stream(0, "floor", number)) for number in range(DRAWS)]
    drawn = [furniture.train[order[:count]] for order in orders]
    print(HEADER)
    print(line("training models (floor)", furniture.held, drawn))
    print(blurred(drawn, furniture.held), flush=True)
    for images in [images for images in IMAGES if images <= options.images]:
        models = [trained(furniture, images, seed, options.run) for seed in range(options.seeds)]
        made = [model.sample(count, seed=draw) for model in models for draw in range(DRAWS)]
        print(line(f"generated, after {images:,} models", furniture.held, made), flush=True)
        options.picture.write_bytes(sheet(furniture.held[:: count // 20], made[0]))


if __name__ == "__main__":
    run_stage(main)
