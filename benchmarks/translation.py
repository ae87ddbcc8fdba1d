"""Damaged pictures made whole again, each beside its baseline and the same network without a discriminator.

`python -m benchmarks.translation --fashion FOLDER --cifar FILE` writes the tables of docs/translation.md.
FOLDER has Fashion-MNIST as IDX files, FILE is a tar of CIFAR-10's pictures, one folder a class; the digits are
scikit-learn's. Each run learns for so many CPU seconds in one thread and is measured on held-out pairs. One that is
done is a line of `runs.jsonl`, and is not done again, so this can be stopped at any time.
"""

import json
import time
from argparse import Namespace
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean

import torch

from benchmarks.options import natural, positive
from benchmarks.shared import CPU, Log, Row, fill, judge_of
from mintage.dataset import Dataset
from mintage.evaluator import classify, features_of
from mintage.metrics.accuracy import accuracy
from mintage.metrics.frechet import frechet_distance
from mintage.metrics.pairs import retrieval
from mintage.model import Model
from mintage.paired_figures import pair_figures
from mintage.sampling import asked_rows
from mintage.sources import untouched
from mintage.training import make_trainer
from stages.common.errors import run_stage
from stages.common.params import load_params
from stages.common.split import Split
from stages.common.stage import parser_of, progress_bar
from stages.ingest import ingest
from stages.media.drawings import draw_translations
from stages.media.images import Images
from stages.normalize import normalize
from stages.selection.extraction import quantize
from stages.sources import open_source

MEASURED = 2000
"""Most pairs of the holdout that are measured."""
NEVER = 1e12
"""Images after which the game begins: never."""
VARIANTS = {"game": {}, "pixels alone": {"pretrain_images": NEVER}}
PAGE = Path("docs/translation.md")
TABLES = "<!-- the tables that benchmarks/translation.py writes -->"


@dataclass(frozen=True)
class Task:
    """Data, the damage done to them, and the family that should undo it."""

    title: str
    data: str
    family: str
    normalize: Row
    recipe: Row = field(default_factory=dict)
    needs: str | None = None
    """The argument with the place of the data; None if it needs none."""

    @property
    def name(self) -> str:
        return self.title.lower().replace(" ", "-").replace(",", "")


SMALL, COLOR = {"width": 16, "batch_size": 16}, {"channels": 3, "height": 32, "width": 32}
RESIDUAL: Row = {"residual": True, **SMALL}
NOISE = {"partner": "noisy", "damage": {"deviation": 0.8}}
EDGES = {"partner": "edges", "height": 28, "width": 28}
LOW: Row = {"partner": "lower_resolution", **COLOR}
TASKS = [
    Task("Digits under noise", "digits", "pix2pix", NOISE, {"redrawn": True, **SMALL}),
    Task("Edges to clothes", "idx", "pix2pix", EDGES, SMALL, "fashion"),
    Task("Color for gray pictures", "archive", "pix2pix", {"partner": "gray", **COLOR}, RESIDUAL, "cifar"),
    Task("A hole filled in", "archive", "context_encoder", {"partner": "masked", **COLOR}, RESIDUAL, "cifar"),
    Task("8 x 8 to 32 x 32", "archive", "srgan", LOW, {**SMALL, "pretrain_images": 4000}, "cifar"),
]
COLUMNS = {
    "l1": ("L1", "min", "{:.3f}"),
    "psnr": ("PSNR", "max", "{:.2f}"),
    "ssim": ("SSIM", "max", "{:.3f}"),
    "hole_psnr": ("PSNR in the hole", "max", "{:.2f}"),
    "chroma_error": ("chroma error", "min", "{:.3f}"),
    "retrieval": ("retrieval", "max", "{:.1%}"),
    "accuracy": ("right class", "max", "{:.1%}"),
    "frechet": ("Frechet distance", "min", "{:.2f}"),
}
"""For each figure its title, the better direction, and its format."""


class Bench:
    """The data of a task, split and damaged as the pipeline does, and the evaluator that judges it."""

    def __init__(self, task: Task, path: str, folder: Path, evaluator_images: int) -> None:
        self.task, params = task, load_params()
        reads = {"source": task.data, "path": path}
        wanted = params.ingest.model_copy(update=reads)
        sizes = params.normalize.model_dump() | task.normalize
        sizes["damage"] = params.normalize.damage.model_dump() | task.normalize.get("damage", {})
        if not (folder / "normalized/manifest.json").exists():
            ingest(open_source(wanted), wanted, folder / "raw", folder / "resume")
            chosen = type(params.normalize).model_validate(sizes)
            normalize(chosen, folder / "raw", folder / "normalized", folder / "resume")
        self.holdout = Split(folder / "normalized/holdout")
        self.train = _dataset(Split(folder / "normalized/train"))
        held = _dataset(self.holdout)
        self.asked = held.rows(asked_rows(len(held), min(MEASURED, len(held)), 0))
        self.judge = judge_of(self.train, evaluator_images)
        self.features = features_of(self.judge, self.asked.image)

    def run(self, variant: str, seed: int, seconds: float, picture: Path) -> Row:
        """Train for `seconds` CPU seconds; returns the figures, and writes a picture."""
        recipe = self.task.recipe | VARIANTS[variant]
        trainer = make_trainer(self.train, self.task.family, recipe, seed, device=CPU, precision="auto")
        spent = 0.0
        with progress_bar(f"{self.task.title}, {variant}, seed {seed}", int(seconds)) as bar:
            while spent < seconds:
                start = time.process_time()
                trainer.turn()
                spent += time.process_time() - start
                bar.update(int(spent) - bar.n)
        trainer.check()
        assert self.asked.source is not None
        figures = self.measure(quantize(Model(trainer.average).translate(self.asked.source)))
        picture.write_bytes(draw_translations(Images(), trainer.average, 0, self.holdout))
        return {"images": trainer.images_seen, "seconds": spent, "figures": figures}

    def measure(self, images: torch.Tensor) -> Row:
        """The figures of images in place of the truths."""
        features = features_of(self.judge, images)
        found = pair_figures(images, self.asked) | {"retrieval": retrieval(features, self.features)}
        found["frechet"] = frechet_distance(self.features, features)
        if self.asked.label is not None:
            found["accuracy"] = accuracy(classify(self.judge, features), self.asked.label)
        return found


def _dataset(split: Split) -> Dataset:
    assert split.partners is not None
    data = Dataset(split.images(), split.labels, split.classes, split.partners.images())
    data.damage = split.signature.damage
    return data


def sections(runs: list[Row]) -> str:
    """A section for each task that has been run."""
    of_tasks = [(task, [row for row in runs if row["task"] == task.name]) for task in TASKS]
    return "\n\n".join("\n".join(_section(task, rows)) for task, rows in of_tasks if rows)


def _section(task: Task, rows: list[Row]) -> Iterator[str]:
    kinds = ["baseline", *VARIANTS]
    found = {kind: [row for row in rows if row["variant"] == kind] for kind in kinds}
    means = {kind: _means(of_kind) for kind, of_kind in found.items() if of_kind}
    settings = ", ".join(f"`{name}: {json.dumps(value)}`" for name, value in task.recipe.items())
    about = f"`{task.family}` with {settings}, `normalize.partner: {task.normalize['partner']}`"
    yield f"## {task.title}\n"
    yield f"{about}; {rows[0]['pairs']:,} pairs, {rows[0]['budget']:g} CPU seconds a run."
    yield ""
    yield f"| | {' | '.join(means)} | real images |"
    yield f"| --- {'| --- ' * (len(means) + 1)}|"
    for name, (title, _, form) in COLUMNS.items():
        if name in rows[0]["real"]:
            cells = [form.format(one[name]) for one in means.values()]
            yield f"| {title} | {' | '.join(cells)} | {form.format(rows[0]['real'][name])} |"
    counts = [f"{mean(row['images'] for row in of_kind):,.0f}" if kind != "baseline" else "" for kind, of_kind in
            found.items() if of_kind]  # fmt: skip
    yield f"| images seen | {' | '.join(counts)} | |"
    yield ""
    yield "  \n".join(_sentences(means))


def _sentences(means: dict[str, Row]) -> Iterator[str]:
    """Where the game wins, and where it loses."""
    for other in ("baseline", "pixels alone"):
        if "game" in means and other in means:
            worse = [title for name, (title, end, _) in COLUMNS.items() if name in means[other]
                     and (means["game"][name] - means[other][name]) * (1 if end == "max" else -1) < 0]  # fmt: skip
            whom = "its baseline" if other == "baseline" else "the same network without a discriminator"
            yield (
                f"The game **loses to {whom}** in {', '.join(worse)}." if worse else f"It beats {whom} in all of these."
            )


def _means(rows: list[Row]) -> Row:
    return {name: mean(row["figures"][name] for row in rows) for name in rows[0]["figures"]}


def main() -> None:
    parser = parser_of("benchmarks.translation", __doc__)
    parser.add_argument("--fashion", help="a folder with Fashion-MNIST's four IDX files")
    parser.add_argument("--cifar", help="a tar of CIFAR-10's pictures")
    parser.add_argument("--seconds", type=positive, default=120, help="CPU seconds of training a run")
    parser.add_argument("--seeds", type=natural, default=1)
    parser.add_argument("--evaluator-images", type=natural, default=60_000)
    parser.add_argument("--out", type=Path, default=Path(".translation"), help="data, runs.jsonl, and a picture a run")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    log = Log(arguments.out)
    for task in TASKS:
        if task.needs is None or getattr(arguments, task.needs):
            _run_all(task, arguments, log)
    fill(PAGE, TABLES, sections(_done(log, arguments.seconds)))


def _run_all(task: Task, arguments: Namespace, log: Log) -> None:
    """Run what is not done yet of a task; the first run also writes the baseline."""
    wanted = [("baseline", 0), *((variant, seed) for seed in range(arguments.seeds) for variant in VARIANTS)]
    done = {(row["variant"], row["seed"]) for row in _done(log, arguments.seconds) if row["task"] == task.name}
    if not (left := [one for one in wanted if one not in done]):
        return
    path = getattr(arguments, task.needs) if task.needs else "."
    bench = Bench(task, path, arguments.out / task.name, arguments.evaluator_images)
    about = {"task": task.name, "budget": arguments.seconds, "pairs": len(bench.train)}
    about["real"] = bench.measure(bench.asked.image)
    for variant, seed in left:
        if variant == "baseline":
            assert bench.asked.source is not None
            row: Row = {"figures": bench.measure(quantize(untouched(bench.asked.source, bench.asked.shape)))}
        else:
            picture = arguments.out / f"{task.name}-{variant.replace(' ', '-')}-{seed}.png"
            row = bench.run(variant, seed, arguments.seconds, picture)
        log.keep(about | {"variant": variant, "seed": seed} | row)


def _done(log: Log, seconds: float) -> list[Row]:
    return [row for row in log.rows() if row["budget"] == seconds]


if __name__ == "__main__":
    run_stage(main)
