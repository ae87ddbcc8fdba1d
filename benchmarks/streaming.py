"""Training on a window at a time against training on all images in memory, in turns on the same game.

    python -m benchmarks.streaming [--images 60000] [--window 10000] [--seconds 8] [--rounds 5]

Images are random, RGB of 32x32, in shards as normalize writes them; the game is `dcgan` at width 64 with one thread.
The streamed game passes at least one window in each round. Prints the median seconds of a turn of both, and the ratio.
"""

import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
import pyarrow.parquet as pq
import torch

from benchmarks.options import natural, positive
from mintage.trainer import Trainer
from stages.common.errors import run_stage
from stages.common.params import load_section
from stages.common.shards import shard_path, tensor_table
from stages.common.split import Split
from stages.common.stage import parser_of
from stages.common.train_params import Train
from stages.train import make_trainer

SHAPE, ROW_GROUP, SHARD = (3, 32, 32), 340, 10_000


def main() -> None:
    options = parser_of("benchmarks.streaming", __doc__)
    options.add_argument("--images", type=natural, default=60_000)
    options.add_argument("--window", type=natural, default=10_000)
    options.add_argument("--seconds", type=positive, default=8.0)
    options.add_argument("--rounds", type=natural, default=5)
    chosen = options.parse_args()
    changes = {"family": "dcgan", "recipe": {"width": 64, "batch_size": 64}, "device": "cpu", "threads": 1}
    params = load_section(Train).model_copy(update=changes)
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder), chosen.images)
        kinds = {
            "in memory": make_trainer(params, Split(folder)),
            "streamed": make_trainer(params.model_copy(update={"window": chosen.window}), Split(folder)),
        }
        turns: dict[str, list[float]] = {name: [] for name in kinds}
        for trainer in kinds.values():
            trainer.turn()
        for number in range(chosen.rounds):
            for name in sorted(kinds, reverse=bool(number % 2)):
                turns[name].append(seconds_a_turn(kinds[name], chosen.seconds))
    medians = {name: median(values) for name, values in turns.items()}
    for name, value in medians.items():
        print(f"{name:<10} {1000 * value:7.2f} ms a turn, {64 / value:7.0f} images/s")
    print(f"streamed takes {medians['streamed'] / medians['in memory']:.3f} times as long")


def seconds_a_turn(trainer: Trainer, seconds: float) -> float:
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        trainer.turn()
        count += 1
    return (time.perf_counter() - start) / count


def write_images(folder: Path, count: int) -> None:
    random = np.random.default_rng(0)
    for index, start in enumerate(range(0, count, SHARD)):
        size = min(SHARD, count - start)
        images = random.integers(0, 256, (size, *SHAPE), np.uint8)
        table = tensor_table(images, [None] * size, [str(start + i) for i in range(size)], None)
        pq.write_table(table, shard_path(folder, index), row_group_size=ROW_GROUP, compression="zstd")


if __name__ == "__main__":
    torch.manual_seed(0)
    run_stage(main)
