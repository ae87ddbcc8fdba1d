"""Clothes in two stages and in one: `python -m benchmarks.stacked FOLDER` prints the table of docs/families.md.

FOLDER has Fashion-MNIST as IDX files. `cgan` learns clothes of 14x14, means of 2 x 2 pixels; `stackgan` refines them
to 28x28; beside them stands `cgan` at 28x28, for as many CPU seconds as the second stage alone took, and as both. All
are judged on the test set, by a network that classifies the others. A seed that is done is a line of `runs.jsonl`, and
is not done again. One thread.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

import mintage
from benchmarks.autoencoding import MEASURED, Bench
from benchmarks.options import positive
from benchmarks.shared import CPU, Log, Row, learn, png_of
from mintage.dataset import Dataset
from mintage.evaluator import classify, features_of
from mintage.model import Model
from mintage.players import Generator
from mintage.trainer import Trainer
from mintage.training import make_trainer
from stages.common.errors import run_stage
from stages.common.stage import parser_of

SHOWN = 20
ROWS = {
    "first": "the first stage, enlarged",
    "both": "`stackgan`, both stages",
    "one, as the second": "`cgan` in one stage, as long as the second took",
    "one, as both": "`cgan` in one stage, as long as both took",
    "small": "real clothes of 14x14, enlarged",
    "real": "real clothes",
}


@dataclass(frozen=True)
class Stages:
    """The data at both sizes, and the classifier that judges."""

    bench: Bench
    small: Dataset
    seconds: tuple[float, float]
    """CPU seconds of the first and of the second stage."""

    def run(self, seed: int, folder: Path) -> list[Row]:
        """The figures of every trained row; models and the pictures' latents are saved in the folder."""
        of_first, of_second = self.seconds
        first = learn(begin(self.small, "cgan", seed), of_first)
        second = learn(begin(self.bench.train, "stackgan", seed, first.average), of_second)
        one = learn(begin(self.bench.train, "cgan", seed), of_second)
        known = [
            self.row("first", Model(second.average.drafting), first.images_seen, of_first),
            self.row("both", Model(second.average), second.images_seen, sum(self.seconds)),
            self.row("one, as the second", Model(one.average), one.images_seen, of_second),
        ]
        learn(one, of_first)
        known.append(self.row("one, as both", Model(one.average), one.images_seen, sum(self.seconds)))
        for name, trainer in (("second", second), ("one", one)):
            Model(trainer.average).save(folder / f"{name}-{seed}")
        return [row | {"seed": seed} for row in known]

    def row(self, name: str, model: Model, images: int, seconds: float) -> Row:
        made = model.sample(MEASURED)
        asked = torch.arange(MEASURED) % len(model.classes or ())
        right = classify(self.bench.judge, features_of(self.bench.judge, made)) == asked
        figures = {"distance": self.bench.distance(made), "accuracy": right.double().mean().item()}
        return {"kind": name, "images": images, "seconds": seconds, **figures}

    def real(self) -> list[Row]:
        """The floor of equally many real clothes, and the same clothes shrunk and enlarged."""
        shown = self.bench.train.image[:MEASURED]
        found = {"small": enlarged(self.small.image[:MEASURED]), "real": shown}
        return [{"kind": kind, "seed": 0, "distance": self.bench.distance(images)} for kind, images in found.items()]


def enlarged(images: Tensor) -> Tensor:
    return interpolate(images, (28, 28), mode="bicubic").clamp(-1, 1)


def begin(data: Dataset, family: str, seed: int, first: Generator | None = None) -> Trainer:
    return make_trainer(data, family, {}, seed, device=CPU, precision="auto", first=first)


def table(runs: list[Row]) -> str:
    lines = ["| | CPU seconds | images seen | Frechet distance | right class |", "| --- | --- | --- | --- | --- |"]
    for kind, title in ROWS.items():
        found = [row for row in runs if row["kind"] == kind]
        distances = " and ".join(f"{row['distance']:.2f}" for row in found)
        if "seconds" in found[0]:
            seen, right = (mean(row[name] for row in found) for name in ("images", "accuracy"))
            lines.append(f"| {title} | {found[0]['seconds']:.0f} | {seen:,.0f} | {distances} | {right:.1%} |")
        else:
            lines.append(f"| {title} | | | {distances} | |")
    return "\n".join(lines)


def sheet(folder: Path) -> bytes:
    """Two of each class: the first stage enlarged, both stages, and a single stage with other latents."""
    second, one = (mintage.load(folder / f"{name}-0") for name in ("second", "one"))
    rows = [Model(second.generator.drafting).sample(SHOWN), second.sample(SHOWN), one.sample(SHOWN)]
    return png_of(rows, SHOWN, scale=2)


def main() -> None:
    parser = parser_of("benchmarks.stacked", __doc__)
    parser.add_argument("fashion", type=Path)
    parser.add_argument("--seconds", type=positive, nargs=2, default=(60.0, 120.0), help="of CPU, for either stage")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--out", type=Path, default=Path(".stacked"), help="runs.jsonl, and models")
    parser.add_argument("--sheet", type=Path, default=Path("stacked.png"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    log = Log(asked.out)
    done = {row["seed"] for row in log.rows() if row["kind"] == "both"}
    left = [seed for seed in asked.seeds if seed not in done]
    if left:
        bench = Bench.open(asked.fashion)
        small = Dataset(avg_pool2d(bench.train.image, 2), bench.train.label)
        stages = Stages(bench, small, tuple(asked.seconds))
    for seed in left:
        log.keep(*stages.run(seed, asked.out), *([] if seed else stages.real()))
    print(table(log.rows()))
    asked.sheet.write_bytes(sheet(asked.out))


if __name__ == "__main__":
    run_stage(main)
