"""Families side by side under one protocol: `dvc repro evaluator`, then `python -m benchmarks.families`.

The data are what the pipeline normalized here, the judge is the evaluator that it trained on them. Each family learns
by its own recipe (an axis set in params.yaml holds for all), through two budgets at once: so many CPU seconds of
training, and so many real images seen. It is measured as `select` does: averaged generator, 8 bits, held-out images,
one seed of the latents. The seed of a run draws the first weights, the order of the images and the noise. A run that
is done is a line of `runs.jsonl` and is not done again, so this can be stopped at any time.
"""

import json
import time
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev

import torch

from benchmarks.options import natural, positive
from benchmarks.shared import CPU, Log, Row
from mintage.data import RealImages
from mintage.evaluator import Evaluator, classify, features_of
from mintage.families import FAMILIES, recipe_of
from mintage.learning import Schedule
from mintage.metrics.accuracy import accuracy
from mintage.metrics.classification import classification_accuracy_score
from mintage.metrics.frechet import frechet_distance
from mintage.players import Generator
from mintage.randomness import stream
from mintage.recipes import Recipe, condition_of
from mintage.sampling import asked_labels, samples
from stages.common.errors import UserError, run_stage
from stages.common.files import read_json
from stages.common.models import read_evaluator
from stages.common.params import load_section
from stages.common.reading import batches_of, labels_of
from stages.common.split import Split
from stages.common.stage import parser_of, progress_bar
from stages.common.train_params import Train
from stages.media.drawings import drawings_of
from stages.media.images import Images
from stages.selection.extraction import quantize
from stages.train import make_trainer

DATA = Path("data/normalized")
MEASURED_SEED = 0
BUDGETS = ("images", "seconds")


@dataclass(frozen=True)
class Budget:
    """How long a run may train: until both budgets are used up, or `most_seconds` have passed."""

    images: int
    seconds: float
    most_seconds: float
    checkpoints: int
    """How often it is measured within each budget."""


class Judge:
    """The evaluator, and the features of the holdout, computed once."""

    def __init__(self, samples: int, classifier_images: int) -> None:
        self.schedule = Schedule(classifier_images, batch_size=128, learning_rate=0.002, seed=0)
        self.evaluator: Evaluator
        self.evaluator, self.sha256 = read_evaluator("models/evaluator", CPU)
        self.holdout, self.samples = Split(DATA / "holdout"), samples
        self.real = self._features(batches_of(self.holdout))

    def measure(self, generator: Generator) -> Row:
        labels = labels_of(self.holdout) if generator.config.conditional else None
        asked = None if labels is None else asked_labels(labels, self.samples, MEASURED_SEED)
        batches = list(samples(generator, self.samples, MEASURED_SEED, None if asked is None else asked.tolist()))
        features = self._features(quantize(images) for images, _ in batches)
        row = {"frechet": frechet_distance(self.real, features)}
        if asked is not None and self.evaluator.config.classifies:
            row["accuracy"] = accuracy(classify(self.evaluator, features), asked)
        return row

    def classification_score(self, generator: Generator, train: Split) -> Row:
        """The holdout accuracy of a classifier trained on as many generated images as there are training images."""
        labels = labels_of(train)
        if not generator.config.conditional or labels is None:
            return {}
        asked = asked_labels(labels, len(labels), MEASURED_SEED)
        made = samples(generator, len(asked), MEASURED_SEED, asked.tolist())
        return {"classification": self._learned(torch.cat([quantize(images) for images, _ in made]), asked)}

    def _learned(self, images: torch.Tensor, labels: torch.Tensor | None) -> float:
        held_out, config = labels_of(self.holdout), self.evaluator.config
        assert held_out is not None
        shown = RealImages(images, labels, self.schedule.seed, CPU)
        return classification_accuracy_score(shown, batches_of(self.holdout), held_out, config, self.schedule)

    def _features(self, batches: Iterable[torch.Tensor]) -> torch.Tensor:
        return torch.cat([features_of(self.evaluator, images) for images in batches])

    def floor(self, train: Split) -> Row:
        """The figures of as many real images of the train split."""
        picked = torch.randperm(len(train), generator=stream(MEASURED_SEED, "floor"))[: self.samples]
        features = features_of(self.evaluator, torch.from_numpy(train.take(picked.numpy())))
        row = {"frechet": frechet_distance(self.real, features)}
        if self.holdout.labels is not None and self.evaluator.config.classifies:
            row["accuracy"] = accuracy(classify(self.evaluator, self.real), torch.from_numpy(self.holdout.labels))
            row["classification"] = self._learned(torch.from_numpy(train.images()), labels_of(train))
        return row


def run(params: Train, split: Split, judge: Judge, budget: Budget, picture: Path) -> Row:
    """Train one family from one seed through both budgets, and measure it regularly; `picture` shows the selection.

    The checkpoint with the lowest Frechet distance within the budget of CPU seconds is selected; all other figures are
    of this checkpoint.
    """
    trainer = make_trainer(params, split)
    checkpoints: list[Row] = []
    best, seconds = trainer.average, 0.0
    marks = [(kind, part) for kind in BUDGETS for part in range(1, budget.checkpoints + 1)]
    with progress_bar(f"{params.family}, seed {params.seed}", budget.images) as bar:
        while marks and seconds < budget.most_seconds:
            start = time.process_time()
            trainer.turn()
            seconds += time.process_time() - start
            bar.update(trainer.turn_images)
            spent = {"images": trainer.images_seen / budget.images, "seconds": seconds / budget.seconds}
            reached = [mark for mark in marks if spent[mark[0]] >= mark[1] / budget.checkpoints]
            if reached:
                trainer.check()
                found = {"images": trainer.images_seen, "seconds": seconds} | judge.measure(trainer.average)
                checkpoints += [{"budget": kind, "diversity": trainer.diversity()} | found for kind, _ in reached]
                marks = [mark for mark in marks if mark not in reached]
                if any(
                    checkpoint is selected(within(checkpoints, "seconds"))
                    for checkpoint in checkpoints[-len(reached) :]
                ):
                    best = deepcopy(trainer.average)
    picture.write_bytes(drawings_of(Images()).draw_samples(best, MEASURED_SEED))
    made = {"family": params.family, "seed": params.seed, "checkpoints": checkpoints}
    return made | judge.classification_score(best, split)


def needs_labels_at_most(recipe: Recipe) -> bool:
    """Whether a recipe learns from any folder of images, without pairs, attributes or points."""
    return condition_of(recipe) in ("label", None) and recipe.network != "points"


def within(checkpoints: list[Row], kind: str) -> list[Row]:
    """The checkpoints that were measured at a mark of this budget."""
    return [one for one in checkpoints if one["budget"] == kind]


def selected(checkpoints: list[Row]) -> Row | None:
    """The checkpoint with the lowest Frechet distance, the earlier one of equals; None without checkpoints."""
    return min(checkpoints, key=lambda one: one["frechet"], default=None)


def table(runs: list[Row], budget: Budget) -> Iterator[str]:
    """A line for each family: means and standard errors over its seeds."""
    in_time, by_count = f"in {budget.seconds:g} CPU s", f"after {budget.images:,} images"
    yield (
        f"| family | seeds | Frechet {in_time}: selected | last | images | diversity | accuracy | classification score "
        f"| Frechet {by_count}: selected | last | CPU s |"
    )
    yield "| --- " * 11 + "|"
    for family in FAMILIES:
        rows = [row for row in runs if row.get("family") == family]
        if rows:
            yield f"| {' | '.join([family, str(len(rows)), *cells(rows, budget)])} |"
    floor = next(row["floor"] for row in runs if "floor" in row)
    real = [f"{floor[name]:.3f}" if name in floor else "" for name in ("accuracy", "classification")]
    yield f"| real images | | {floor['frechet']:.2f} | | | 1 | {' | '.join(real)} | | | |"


def cells(rows: list[Row], budget: Budget) -> list[str]:
    """A family's figures within each budget; a dash if it did not finish the budget in time."""
    timed, counted = ([within(row["checkpoints"], kind) for row in rows] for kind in ("seconds", "images"))
    chosen = [one for one in map(selected, timed) if one is not None]
    whole = all(len(each) == budget.checkpoints for each in counted)
    return [
        spread([one["frechet"] for one in chosen], "{:.2f}"),
        spread([each[-1]["frechet"] for each in timed if each], "{:.2f}"),
        f"{mean(each[-1]['images'] for each in timed if each):,.0f}",
        spread([one["diversity"] for one in chosen if one["diversity"] is not None], "{:.2f}"),
        spread([one["accuracy"] for one in chosen if "accuracy" in one], "{:.3f}"),
        spread([row["classification"] for row in rows if "classification" in row], "{:.3f}"),
        spread([best["frechet"] for each in counted if (best := selected(each))], "{:.2f}") if whole else "—",
        spread([each[-1]["frechet"] for each in counted if each], "{:.2f}") if whole else "—",
        f"{mean(each[-1]['seconds'] for each in counted):.0f}" if whole else f"over {budget.most_seconds:g}",
    ]


def spread(values: list[float], form: str) -> str:
    if not values:
        return ""
    error = f" ± {form.format(stdev(values) / len(values) ** 0.5)}" if len(values) > 1 else ""
    return form.format(mean(values)) + error


def main() -> None:
    parser = parser_of("benchmarks.families", __doc__)
    parser.add_argument(
        "--families",
        nargs="+",
        choices=FAMILIES,
        default=[name for name in FAMILIES if needs_labels_at_most(recipe_of(name, {}))],
    )
    parser.add_argument("--seeds", type=natural, default=3)
    parser.add_argument("--seconds", type=positive, default=60, help="CPU seconds of training, measuring left out")
    parser.add_argument(
        "--most-seconds", type=positive, default=180, help="where a run ends that saw fewer than --images"
    )
    parser.add_argument("--images", type=natural, default=20_000, help="real images shown to the discriminator")
    parser.add_argument("--checkpoints", type=natural, default=4, help="how often a run is measured within each budget")
    parser.add_argument("--samples", type=natural, default=10_000, help="images generated to measure once")
    parser.add_argument(
        "--classifier-images", type=natural, default=120_000, help="of the classification accuracy score"
    )
    parser.add_argument("--out", type=Path, default=Path(".families"), help="runs.jsonl, and a picture a run")
    arguments = parser.parse_args()
    if not (DATA / "manifest.json").exists():
        raise UserError("output-missing", f"{DATA} holds no images: run `dvc repro evaluator` first")
    budget = Budget(arguments.images, arguments.seconds, arguments.most_seconds, arguments.checkpoints)
    split = Split(DATA / "train")
    judge = Judge(min(arguments.samples, len(split)), arguments.classifier_images)  # the floor has no more images
    params = load_section(Train)
    protocol = protocol_of(params, budget, judge)
    log = Log(arguments.out)
    if not any("floor" in row for row in done(log, protocol)):
        log.keep({"protocol": protocol, "floor": judge.floor(split)})
    for seed in range(arguments.seeds):
        for family in arguments.families:
            if not any((row.get("family"), row.get("seed")) == (family, seed) for row in done(log, protocol)):
                of_run = params.model_copy(update={"family": family, "seed": seed})
                found = run(of_run, split, judge, budget, arguments.out / f"{family}-{seed}.png")
                log.keep({"protocol": protocol} | found)
    print("\n".join(table(done(log, protocol), budget)))


def protocol_of(params: Train, budget: Budget, judge: Judge) -> Row:
    """All that decides a run's figures beside its family and seed."""
    settings = {
        "params": params.model_dump(exclude={"family", "seed", "images", "checkpoint_every"}),
        "budget": asdict(budget),
        "samples": judge.samples,
        "classifier": asdict(judge.schedule),
        "data": read_json(DATA / "manifest.json")["fingerprint"],
        "evaluator": judge.sha256,
    }
    return json.loads(json.dumps(settings))  # as a line of the log has it, where a tuple is a list


def done(log: Log, protocol: Row) -> list[Row]:
    """The runs so far under this protocol."""
    return [row for row in log.rows() if row["protocol"] == protocol]


if __name__ == "__main__":
    run_stage(main)
