"""Families side by side under one protocol: `dvc repro evaluator`, then `python -m benchmarks.families`.

The data are what the pipeline normalized here, the judge is the evaluator that it trained on them. Each family learns
by its own recipe (an axis set in params.yaml holds for all), from the same number of images seen, and is measured as
`select` does: averaged generator, 8 bits, held-out images, one seed of the latents. The seed of a run draws the first
weights, the order of the images and the noise. A run that is done is a line of `runs.jsonl` and is not done again, so
this can be stopped at any time.
"""

import argparse
import json
import time
from collections.abc import Iterable, Iterator
from copy import deepcopy
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch

from gan.data import RealImages
from gan.evaluator import Evaluator, Schedule, classify, features_of
from gan.families import FAMILIES
from gan.metrics.accuracy import accuracy
from gan.metrics.classification import classification_accuracy_score
from gan.metrics.frechet import frechet_distance
from gan.players import Generator
from gan.randomness import stream
from gan.sampling import asked_labels, samples
from stages.common.drawings import drawn
from stages.common.errors import UserError, run_stage
from stages.common.evaluators import read_evaluator
from stages.common.files import read_json
from stages.common.params import Train, load_section
from stages.common.progress import progress_bar
from stages.common.reading import batches_of, labels_of
from stages.common.split import Split
from stages.selection.seen import as_seen
from stages.train import make_trainer

DATA = Path("data/normalized")
MEASURED_SEED = 0
CLASSIFIER = Schedule(images=120_000, batch_size=128, learning_rate=0.002, seed=0)
Row = dict[str, Any]


class Judge:
    """The evaluator, and the features of the held-out images, computed once."""

    def __init__(self, samples: int) -> None:
        self.evaluator: Evaluator
        self.evaluator, self.sha256 = read_evaluator("models/evaluator", torch.device("cpu"))
        self.holdout, self.samples = Split(DATA / "holdout"), samples
        self.real = self._features(batches_of(self.holdout))

    def measure(self, generator: Generator) -> Row:
        labels = labels_of(self.holdout) if generator.config.conditional else None
        asked = None if labels is None else asked_labels(labels, self.samples, MEASURED_SEED)
        batches = list(samples(generator, self.samples, MEASURED_SEED, None if asked is None else asked.tolist()))
        features = self._features(as_seen(images) for images, _ in batches)
        row = {"frechet": frechet_distance(self.real, features)}
        if asked is not None and self.evaluator.config.classifies:
            row["accuracy"] = accuracy(classify(self.evaluator, features), asked)
        return row

    def classification_score(self, generator: Generator, train: Split) -> Row:
        """How well a classifier does on held-out images that saw as many generated ones as there are to train on."""
        labels = labels_of(train)
        if not generator.config.conditional or labels is None:
            return {}
        asked = asked_labels(labels, len(labels), MEASURED_SEED)
        made = samples(generator, len(asked), MEASURED_SEED, asked.tolist())
        return {"classification": self._learned(torch.cat([as_seen(images) for images, _ in made]), asked)}

    def _learned(self, images: torch.Tensor, labels: torch.Tensor | None) -> float:
        held_out, config = labels_of(self.holdout), self.evaluator.config
        assert held_out is not None
        shown = RealImages(images, labels, CLASSIFIER.seed, torch.device("cpu"))
        return classification_accuracy_score(shown, batches_of(self.holdout), held_out, config, CLASSIFIER)

    def _features(self, batches: Iterable[torch.Tensor]) -> torch.Tensor:
        return torch.cat([features_of(self.evaluator, images) for images in batches])

    def floor(self, train: Split) -> Row:
        """What as many real images of the train split reach."""
        picked = torch.randperm(len(train), generator=stream(MEASURED_SEED, "floor"))[: self.samples]
        features = features_of(self.evaluator, torch.from_numpy(train.at(picked.numpy())))
        row = {"frechet": frechet_distance(self.real, features)}
        if self.holdout.labels is not None and self.evaluator.config.classifies:
            row["accuracy"] = accuracy(classify(self.evaluator, self.real), torch.from_numpy(self.holdout.labels))
            row["classification"] = self._learned(torch.from_numpy(train.images()), labels_of(train))
        return row


def run(params: Train, split: Split, judge: Judge, picture: Path) -> Row:
    """Train one family from one seed and measure it on the way; `picture` shows the selected checkpoint."""
    trainer = make_trainer(params, split)
    checkpoints: list[Row] = []
    best, training = trainer.game.average, 0.0
    with progress_bar(f"{params.family}, seed {params.seed}", params.images) as bar:
        while trainer.images_seen < params.images:
            start = time.process_time()
            trainer.turn()
            training += time.process_time() - start
            bar.update(trainer.images_per_turn)
            if trainer.passed(params.checkpoint_every) or trainer.images_seen >= params.images:
                trainer.check()
                checkpoints.append({"images": trainer.images_seen} | judge.measure(trainer.game.average))
                if checkpoints[-1] is selected(checkpoints):
                    best = deepcopy(trainer.game.average)
    picture.write_bytes(drawn(best, MEASURED_SEED, None))
    made = {"family": params.family, "seed": params.seed, "checkpoints": checkpoints, "cpu_seconds": training}
    return made | judge.classification_score(best, split)


def selected(checkpoints: list[Row]) -> Row:
    """That of the lowest Frechet distance; of two the earlier."""
    return min(checkpoints, key=lambda one: one["frechet"])


def table(runs: list[Row]) -> Iterator[str]:
    """A line a family: mean and standard error over its seeds; the selected checkpoint is each run's best."""
    yield "| family | seeds | Frechet, selected | Frechet, last | accuracy | classification score | CPU seconds |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for family in FAMILIES:
        rows = [row for row in runs if row.get("family") == family]
        if rows:
            chosen = [selected(row["checkpoints"]) for row in rows]
            cells = [
                family,
                str(len(rows)),
                spread([one["frechet"] for one in chosen], "{:.2f}"),
                spread([row["checkpoints"][-1]["frechet"] for row in rows], "{:.2f}"),
                spread([one["accuracy"] for one in chosen if "accuracy" in one], "{:.3f}"),
                spread([row["classification"] for row in rows if "classification" in row], "{:.3f}"),
                f"{mean(row['cpu_seconds'] for row in rows):.0f}",
            ]
            yield f"| {' | '.join(cells)} |"
    floor = next(row["floor"] for row in runs if "floor" in row)
    real = [f"{floor[name]:.3f}" if name in floor else "" for name in ("accuracy", "classification")]
    yield f"| real images | | {floor['frechet']:.2f} | | {' | '.join(real)} | |"


def spread(values: list[float], form: str) -> str:
    if not values:
        return ""
    error = f" ± {form.format(stdev(values) / len(values) ** 0.5)}" if len(values) > 1 else ""
    return form.format(mean(values)) + error


def main() -> None:
    parser = argparse.ArgumentParser("python -m benchmarks.families", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--families", nargs="+", choices=FAMILIES, default=[f for f in FAMILIES if f != "modern_points"]
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--images", type=int, default=200_000, help="real images shown to the discriminator")
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--checkpoints", type=int, default=5, help="how often each run is measured")
    parser.add_argument("--samples", type=int, default=10_000, help="images generated to measure once")
    parser.add_argument("--out", type=Path, default=Path(".families"), help="runs.jsonl, and a picture a run")
    arguments = parser.parse_args()
    if not (DATA / "manifest.json").exists():
        raise UserError(f"{DATA} holds no images: run `dvc repro evaluator` first")
    arguments.out.mkdir(exist_ok=True)
    split = Split(DATA / "train")
    judge = Judge(min(arguments.samples, len(split)))  # of as many images as the floor can be
    params = load_section(Train).model_copy(
        update={
            "images": arguments.images,
            "batch_size": arguments.batch_size,
            "checkpoint_every": -(-arguments.images // arguments.checkpoints),
        }
    )
    protocol = {
        "params": params.model_dump(exclude={"family", "seed"}),
        "samples": judge.samples,
        "data": read_json(DATA / "manifest.json")["fingerprint"],
        "evaluator": judge.sha256,
    }
    log = arguments.out / "runs.jsonl"

    def keep(row: Row) -> None:
        with log.open("a") as lines:
            print(json.dumps({"protocol": protocol} | row), file=lines)

    if not any("floor" in row for row in done(log, protocol)):
        keep({"floor": judge.floor(split)})
    for seed in range(arguments.seeds):
        for family in arguments.families:
            if not any((row.get("family"), row.get("seed")) == (family, seed) for row in done(log, protocol)):
                of_run = params.model_copy(update={"family": family, "seed": seed})
                keep(run(of_run, split, judge, arguments.out / f"{family}-{seed}.png"))
    print("\n".join(table(done(log, protocol))))


def done(log: Path, protocol: Row) -> list[Row]:
    """The runs so far under this protocol."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [row for row in map(json.loads, lines) if row["protocol"] == protocol]


if __name__ == "__main__":
    run_stage(main)
