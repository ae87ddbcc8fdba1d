"""How long select takes: `python -m benchmarks.measuring`, 20 checkpoints x 10,000 images of 28x28 by default.

Images and weights are of chance and the checkpoints alike but for their weights: everything but the figures is as in a
real run, from the files read to those written. Prints the seconds of the whole stage and those of its processors,
and of a second run, which knows it all; with --classifiers N, of the classification accuracy score too.
"""

import os
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from benchmarks.options import natural
from mintage.evaluator import EvaluatorConfig
from mintage.families import FAMILIES
from mintage.learning import build_evaluator
from mintage.model_config import ModelConfig
from mintage.players import build_players
from stages.common.checkpoint import write_checkpoint
from stages.common.errors import run_stage
from stages.common.files import write_json
from stages.common.models import write_evaluator
from stages.common.params import Select, load_section
from stages.common.shards import GROUP_BYTES, shard_path, tensor_table
from stages.common.stage import parser_of
from stages.select import select

CLASSES = [str(label) for label in range(10)]
SHAPE = (1, 28, 28)


def main() -> None:
    parser = parser_of("benchmarks.measuring", __doc__)
    parser.add_argument("--checkpoints", type=natural, default=20)
    parser.add_argument("--samples", type=natural, default=10_000)
    parser.add_argument("--train", type=natural, default=60_000)
    parser.add_argument("--holdout", type=natural, default=10_000)
    parser.add_argument("--classifiers", type=int, default=0, help="images shown to each of the two classifiers")
    arguments = parser.parse_args()
    changes = {"samples": arguments.samples, "device": "cpu", "classifier_images": 0}
    params = load_section(Select).model_copy(update=changes)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_inputs(root, arguments.checkpoints, arguments.train, arguments.holdout)
        took = {"everything measured": seconds(params, root)}
        took["again, all known"] = seconds(params, root)
        if arguments.classifiers:
            changed = params.model_copy(update={"classifier_images": arguments.classifiers})
            took["the classifiers"] = seconds(changed, root)
    print(f"{arguments.checkpoints} checkpoints x {arguments.samples:,} images, {os.cpu_count()} cores")
    print("\n".join(f"{what}: {wall:.1f} s, {busy:.1f} s of processors" for what, (wall, busy) in took.items()))


def seconds(params: Select, root: Path) -> tuple[float, float]:
    """Seconds on the clock, and CPU seconds of all processors together."""
    start, busy = time.monotonic(), time.process_time()
    select(params, root)
    return time.monotonic() - start, time.process_time() - busy


def write_inputs(root: Path, checkpoints: int, train: int, holdout: int, shape: tuple[int, int, int] = SHAPE) -> None:
    """Write the inputs of select under `root`."""
    random = np.random.default_rng(0)
    for name, count in (("train", train), ("holdout", holdout)):
        (root / "data/normalized" / name).mkdir(parents=True)
        images = random.integers(0, 256, (count, *shape), np.uint8)
        keys = [f"{name}-{i}" for i in range(count)]
        labels: list[int | None] = [i % 10 for i in range(count)]
        table = tensor_table(images, labels, keys, CLASSES)
        rows = GROUP_BYTES // int(np.prod(shape))
        pq.write_table(table, shard_path(root / "data/normalized" / name, 0), row_group_size=rows)
    source = {"name": "noise", "license": None, "origin": None}
    manifest = {"fingerprint": "noise", "shape": shape, "classes": CLASSES, "source": source}
    absent = dict.fromkeys(["attributes", "partner_shape", "domains"])
    write_json(
        root / "data/normalized/manifest.json", {**manifest, **absent, "counts": {"train": train, "holdout": holdout}}
    )
    (root / "models/evaluator").mkdir(parents=True)
    write_evaluator(root / "models/evaluator", build_evaluator(EvaluatorConfig(shape, tuple(CLASSES), 64), seed=0))
    write_json(root / "metrics/evaluator.json", {"kind": "classifier"})  # of noise there is no accuracy to doubt
    recipe = FAMILIES["cgan"]
    made = {"family": "cgan", "images": checkpoints, "git": {"commit": None, "clean": None}}
    write_json(root / "provenance/train.json", made)
    config = ModelConfig(
        recipe.network, recipe.width, shape, tuple(CLASSES), recipe.latent_size, recipe.latent_distribution,
        generator_conditioning="concat",
    )  # fmt: skip
    for index in range(checkpoints):
        generator, _ = build_players(config, seed=index)
        weights: dict[str, torch.Tensor] = {
            f"engine.average.generator.{k}": t for k, t in generator.state_dict().items()
        }
        facts = {"config": vars(config), "images_seen": index + 1}
        write_checkpoint(root / "models/checkpoints" / f"images-{index + 1:09d}.safetensors", weights, facts)


if __name__ == "__main__":
    run_stage(main)
