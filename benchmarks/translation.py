"""Damaged pictures made whole again, each beside its baseline and the same network without a discriminator.

`python -m benchmarks.translation --fashion FOLDER --cifar FILE` writes docs/translation.md. FOLDER has Fashion-MNIST as
IDX files, FILE is a tar of CIFAR-10's pictures, one folder a class; the digits are scikit-learn's. Each run learns for
so many CPU seconds in one thread and is measured on held-out pairs. One that is done is a line of `runs.jsonl`, and is
not done again, so this can be stopped at any time.
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
from benchmarks.shared import CPU, Log, Row, judge_of
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
INTRODUCTION = """\
# Damaged pictures made whole

This page shows how well short trainings colorize, fill, clean and enlarge pictures. For your own pictures: `mintage
translate PICTURES --release URL --out FOLDER`, with `--with mask.png` for holes ([how](families.md#image-to-image)).

Written by `python -m benchmarks.translation`, on one core of a 2-core Intel Xeon with AMX beside other work. Each run
learns for {seconds:g} CPU seconds: a first look at what a family can do, not its best. Figures are means over held-out
pairs, and over seeds if there are several.

- **Baseline**: the source itself in the image's shape: with its noise, gray in all channels, enlarged bicubic, or a
  hole filled with the mean color around it.
- **Game**: the network with its discriminator. **Pixels alone**: the same network without one
  (`train.recipe.pretrain_images` beyond the end), trained as long.
- **Retrieval**: the share of translations that lie nearest to their own truth in an evaluator's features.

In so short a time the network without a discriminator is nearer to the truth nearly everywhere; its steps cost down to
half as much. In a short training let `pretrain_images` be most of it. The game wins only in the Frechet distance of
enlarged pictures. Holes are filled with the colors around them, blurred: nothing is drawn in them yet.

With one seed, differences in the last digit mean nothing. Color and holes were measured on 29 November 2026, the other
tables the day before, with a less accurate evaluator: compare retrieval, classes and Frechet distances within a table
only.

![Gray pictures, colorized, and the truth: a horse is brown and grass green, as sharp as the gray;
a red truck becomes blue](gray-to-color.png)

## Beginning as the source

With `train.recipe.residual: true` a network adds to its source instead of drawing the image from scratch. CIFAR-10,
9,000 training pictures, 1,000 held out, 8,000 shown, width 16, one seed, on one core of the same machine:

```console
$ python -m benchmarks.beginnings CIFAR
```

| L1, PSNR, SSIM, chroma error | the source | from scratch | residual |
| --- | --- | --- | --- |
| gray | 0.0973, 25.54, 0.745, 0.0795 | 0.1308, 21.81, 0.655, 0.0766 | 0.0911, 25.37, 0.768, 0.0741 |
| with a hole | 0.0823, 20.71, 0.572, 0.0119 | 0.0681, 21.95, 0.626, 0.0143 | 0.0658, 22.25, 0.634, 0.0118 |
| blurred, 3 x 3 | 0.0708, 26.35, 0.830, 0.0041 | 0.0921, 24.52, 0.774, 0.0270 | 0.0505, 29.50, 0.920, 0.0056 |
| JPEG of quality 10 | 0.1013, 23.71, 0.707, 0.0380 | 0.1100, 23.04, 0.673, 0.0411 | 0.0971, 24.08, 0.721, 0.0366 |
| under noise of 0.2 | 0.1533, 20.30, 0.612, 0.0980 | 0.0972, 24.12, 0.741, 0.0307 | 0.1309, 21.63, 0.672, 0.0780 |
| a tenth black or white | 0.0999, 15.12, 0.416, 0.0079 | 0.1262, 21.77, 0.586, 0.0282 | 0.0999, 15.12, 0.416, 0.0079 |

- **Residual wins where a source shows nearly all of its image**: color, blur, JPEG and a hole in a photograph. From
  scratch, blur and JPEG lose to their sources; residual they win, blur in all but chroma. Color beats the gray copy in
  all but PSNR, which is highest for pictures with hardly any color.
- **From scratch wins for noise on every pixel**: this U-Net halves its maps from the start, so what it adds is too
  coarse to remove such noise.
- **Residual learns nothing for random black or white pixels**, since the slope of tanh is nearly 0 there.
- **In Fashion-MNIST**, 28x28, it fills a hole worse: 13.5 decibels in the hole instead of 14.4, after 6,000 pictures.

## An outfit turned round

Game sprites, 32 x 24: the source is an outfit from one side, the map is the bare figure in another pose and direction,
and the truth is the outfit in that pose. 18 outfits train, in 36,000 pairs, half of them dyed. Held out are 1,000 pairs
of four new outfits, whose chest pieces no training outfit has. `pg2`, 200,000 images seen, half by the first stage, one
seed, ten minutes of one core beside other work (`benchmarks/sprites.py` describes the form of the sprites):

```console
$ python -m benchmarks.pose SPRITES.zip --each 2000 --images 200000 --recipe '{{"pretrain_images": 100000}}'
```

| | L1 | PSNR | SSIM | outfit recognized |
| --- | --- | --- | --- | --- |
| the source as it is | 0.1375 | 17.52 | 0.258 | 17.0% |
| the bare figure of the map | 0.0822 | 20.23 | 0.544 | 0.0% |
| its first stage alone, trained as long | 0.0398 | 26.33 | 0.841 | 23.9% |
| `pg2` | 0.0444 | 25.50 | 0.820 | 28.4% |
| the truth | 0.0000 | 100.00 | 1.000 | 100.0% |

An outfit is recognized if, of the 11 of its sex in the wanted view, it is nearest to the picture by L1; guessing
reaches 9.1%. `pg2` beats the source and the map in all figures. It **loses to its first stage alone** in L1, PSNR and
SSIM, and beats it in recognized outfits. After 60,000 images of less varied pairs it reached 23.4%; with wrong sources
as negative pairs (`matching_aware`), at 150,000, 20.3%.

![Rows: sources, maps, the first stage alone, pg2, truths. Poses are right to the limb, robes and armor keep their
colors, seams and trims are guessed, and shields are lost](pose.png)

## A second stage, of what a release made

Figures of 64 x 64, drawn by another seed than those of the example `figures_pg2`. That example's release draws each at
32 x 32. A `residual` U-Net starts from those drawings, enlarged, and also gets the source and the map
([how](data.md#one-release-after-the-other)). 4,800 pairs, 1,200 held out, 30,000 images seen, half of them by pixels
alone, one seed, four minutes of one core beside other work:

```console
$ python -m benchmarks.figures data/source/figures --figures 1500
$ cd data/source/figures && mintage translate source --with map --release RELEASE --out coarse
$ dvc exp run -S 'ingest.pairs={{by: name, folders: [truth, coarse, source, map]}}' ... -S train.family=pix2pix \\
    -S train.recipe.residual=true -S train.recipe.width=16 -S train.recipe.batch_size=16 -S train.images=30000 \\
    -S train.recipe.pretrain_images=15000 -S 'train.recipe.generator={{learning_rate: 0.001, dropout: 0.0}}'
```

| | the first stage, enlarged | the second stage |
| --- | --- | --- |
| L1 | 0.0397 | 0.0332 |
| PSNR | 25.50 | 26.48 |
| SSIM | 0.803 | 0.841 |
| chroma error | 0.0249 | 0.0210 |
| retrieval | 97.1% | 97.6% |
| Frechet distance | 0.424 | 0.342 |

The second stage beats its first stage in all figures. The chosen checkpoint is the last one before the discriminator
joined, which changed little: SSIM 0.842 after 5,000 images with it, 0.838 at the end. Limbs and heads have edges again;
wrong colors of the first stage stay wrong.

On the sprites above, twice as large, 4,500 pairs and 20,000 images without `residual`, it beats its first stage in L1
(0.0536, first 0.0593), PSNR (23.52, 23.43) and SSIM (0.779, 0.746). It **loses to it** in Frechet distance (1.68,
1.42), retrieval (32.5%, 33.7%) and chroma error (0.0085, 0.0082). Perhaps the release has memorized the outfits that
both train on, and the second stage never sees the mistakes that it makes on others.
"""


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


TASKS = [
    Task(
        "Digits under noise",
        "digits",
        "pix2pix",
        {"partner": "noisy", "damage": {"deviation": 0.8}},
        {"redrawn": True, "width": 16, "batch_size": 16},
    ),
    Task(
        "Edges to clothes",
        "idx",
        "pix2pix",
        {"partner": "edges", "height": 28, "width": 28},
        {"width": 16, "batch_size": 16},
        "fashion",
    ),
    Task(
        "Color for gray pictures",
        "archive",
        "pix2pix",
        {"partner": "gray", "channels": 3, "height": 32, "width": 32},
        {"residual": True, "width": 16, "batch_size": 16},
        "cifar",
    ),
    Task(
        "A hole filled in",
        "archive",
        "context_encoder",
        {"partner": "masked", "channels": 3, "height": 32, "width": 32},
        {"residual": True, "width": 16, "batch_size": 16},
        "cifar",
    ),
    Task(
        "8 x 8 to 32 x 32",
        "archive",
        "srgan",
        {"partner": "lower_resolution", "channels": 3, "height": 32, "width": 32},
        {"width": 16, "batch_size": 16, "pretrain_images": 4000},
        "cifar",
    ),
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


def page(runs: list[Row], seconds: float) -> str:
    """The whole page, from all runs with a budget."""
    parts = [INTRODUCTION.format(seconds=seconds)]
    for task in TASKS:
        if rows := [row for row in runs if row["task"] == task.name]:
            parts += [f"## {task.title}", "", *_section(task, rows), ""]
    return "\n".join(parts).rstrip() + "\n"


def _section(task: Task, rows: list[Row]) -> Iterator[str]:
    kinds = ["baseline", *VARIANTS]
    found = {kind: [row for row in rows if row["variant"] == kind] for kind in kinds}
    means = {kind: _means(of_kind) for kind, of_kind in found.items() if of_kind}
    settings = ", ".join(f"`{name}: {json.dumps(value)}`" for name, value in task.recipe.items())
    about = f"`{task.family}` with {settings}, `normalize.partner: {task.normalize['partner']}`"
    yield f"{about}; {rows[0]['pairs']:,} pairs to learn from."
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
    PAGE.write_text(page(_done(log, arguments.seconds), arguments.seconds))


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
