"""Whether larger batches teach as much in less time: `python -m benchmarks.batches`.

`cgan` on scikit-learn's digits of 8x8, the learning rates of both players raised with the batch. A turn on such small
maps is mostly the dispatch of operations, so fewer turns are faster. One thread; the averaged generator of the last
turn, beside a fifth of the digits, which no run has seen. Means over the seeds, the lowest and the highest.
`--clothes FOLDER` takes Fashion-MNIST's IDX files instead: 20,000 clothes of 28x28, and 2,000 that no run has seen.
"""

import time
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits

import mintage
from benchmarks.domains import of_mnist
from benchmarks.options import natural
from benchmarks.shared import row_of_draws
from mintage.randomness import stream
from stages.common.errors import run_stage
from stages.common.stage import parser_of

RATES = {64: 0.0005, 128: 0.0007, 192: 0.001, 256: 0.0014}
"""Of both players, by the size of a batch; the first is the row's."""


def main() -> None:
    parser = parser_of("benchmarks.batches", __doc__)
    parser.add_argument("--images", type=natural, default=200_000)
    parser.add_argument("--seeds", type=natural, default=3)
    parser.add_argument("--clothes", type=Path, metavar="FOLDER")
    parser.add_argument("--precision", default="auto", help="of the training; measuring has the machine's own")
    asked = parser.parse_args()
    train, holdout = digits() if asked.clothes is None else clothes(asked.clothes)
    print("| batch, learning rate | CPU seconds | Frechet distance | conditional accuracy |\n| --- | --- | --- | --- |")
    for batch, rate in RATES.items():
        way = {"recipe": recipe(batch, rate), "precision": asked.precision}
        draws = [figures(train, holdout, way, asked.images, seed) for seed in range(asked.seeds)]
        print(row_of_draws(f"{batch}, {rate}", draws, digits=3), flush=True)


def digits() -> tuple[mintage.Dataset, mintage.Dataset]:
    """Training data and a holdout."""
    found = load_digits()
    images, labels = torch.from_numpy(found.images).float().unsqueeze(1) / 8 - 1, torch.from_numpy(found.target)
    order = torch.randperm(len(images), generator=stream(0, "benchmark/split"))
    held, rest = order[: len(order) // 5], order[len(order) // 5 :]
    return mintage.Dataset(images[rest], labels[rest]), mintage.Dataset(images[held], labels[held])


def clothes(folder: Path) -> tuple[mintage.Dataset, mintage.Dataset]:
    """The same of Fashion-MNIST, in the order of its files."""
    parts = {"train": 20_000, "t10k": 2_000}
    read = {part: of_mnist(folder, part, cut=slice(None), side=28) for part in parts}
    train, holdout = (mintage.Dataset(read[part][0][:count], read[part][1][:count]) for part, count in parts.items())
    return train, holdout


def recipe(batch: int, rate: float) -> dict[str, Any]:
    player = {"learning_rate": rate}
    return {"batch_size": batch, "generator": player, "discriminator": player}


def figures(
    train: mintage.Dataset, holdout: mintage.Dataset, way: dict[str, Any], images: int, seed: int
) -> list[float]:
    """CPU seconds of a training, and the Frechet distance and conditional accuracy of its model."""
    begun = time.process_time()
    model = mintage.train(train, "cgan", images, seed=seed, device="cpu", progress=False, **way).model
    seconds = time.process_time() - begun
    table = mintage.measure(model, holdout, train, seed=0)
    return [seconds, table["frechet_distance"].value, table["conditional_accuracy"].value]


if __name__ == "__main__":
    run_stage(main)
