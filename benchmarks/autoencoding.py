"""Clothes encoded and made again, and clothes made of noise: an encoder with a game, and without one.

`python -m benchmarks.autoencoding FOLDER` writes docs/autoencoding.md and its picture. FOLDER has Fashion-MNIST as IDX
files. Each run sees as many images, in one thread, and is measured on images of the test set, which never train. It
goes on where it was stopped; one that is done is a line of `runs.jsonl`, and is not done again.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev

import torch
from torch import Tensor

import mintage
from benchmarks.domains import idx
from benchmarks.options import natural
from benchmarks.shared import Log, Row, fill, judge_of, png_of
from mintage.evaluator import Evaluator, classify, features_of
from mintage.metrics.frechet import frechet_distance
from mintage.metrics.pairs import psnr, retrieval
from mintage.model import Model
from stages.common.errors import run_stage
from stages.common.stage import parser_of
from stages.selection.extraction import quantize

FAMILIES = ("vae_gan", "vae")
MEASURED, SHOWN, ROWS = 4000, 16, 3
PAGE, PICTURE = Path("docs/autoencoding.md"), Path("docs/autoencoding.png")
TABLE = "<!-- the table that benchmarks/autoencoding.py writes -->"
COLUMNS = {
    "psnr": ("reconstruction: PSNR", "{:.2f} dB"),
    "features": ("reconstruction: distance in features", "{:.2f}"),
    "retrieval": ("reconstruction: its own image is the nearest of all", "{:.1%}"),
    "accuracy": ("reconstruction: right class", "{:.1%}"),
    "reconstructed": ("reconstructions: Frechet distance", "{:.2f}"),
    "sampled": ("samples: Frechet distance", "{:.2f}"),
}


@dataclass(frozen=True)
class Bench:
    """The holdout, in the features of a classifier of the training images."""

    train: mintage.Dataset
    held: mintage.Dataset
    judge: Evaluator
    features: Tensor

    @classmethod
    def open(cls, folder: Path) -> "Bench":
        train, held = (of_fashion(folder, part) for part in ("train", "t10k"))
        held = held.rows(torch.arange(MEASURED))
        judge = judge_of(train)
        return cls(train, held, judge, features_of(judge, held.image))

    def run(self, family: str, seed: int, images: int, folder: Path) -> Row:
        """Train on `images` images, and return the figures."""
        model = mintage.train(self.train, family, images, seed=seed, device="cpu", folder=folder).model
        found = self.of_reconstructions(model.reconstruct(self.held.image))
        return {"figures": found | {"sampled": self.distance(model.sample(MEASURED, seed))}}

    def of_reconstructions(self, images: Tensor) -> dict[str, float]:
        """The figures of images in place of the holdout."""
        assert self.held.label is not None
        made = quantize(images)
        features = features_of(self.judge, made)
        return {
            "psnr": psnr(made, self.held.image).mean().item(),
            "features": (features - self.features).norm(dim=1).mean().item(),
            "retrieval": retrieval(features, self.features),
            "accuracy": (classify(self.judge, features) == self.held.label).double().mean().item(),
            "reconstructed": frechet_distance(self.features, features),
        }

    def distance(self, images: Tensor) -> float:
        return frechet_distance(self.features, features_of(self.judge, quantize(images)))

    def nearest(self) -> Row:
        """A baseline: the figures of each image's most similar training image, by pixels, as its reconstruction."""
        pixels = self.train.image.flatten(1)
        found = [torch.cdist(part, pixels).argmin(1) for part in torch.split(self.held.image.flatten(1), 100)]
        return {"figures": self.of_reconstructions(self.train.image[torch.cat(found)])}

    def real(self) -> Row:
        """The floor: the figures of the holdout as reconstructions, and of other real images as samples."""
        found = self.of_reconstructions(self.held.image)
        return {"figures": found | {"sampled": self.distance(self.train.image[:MEASURED])}}


def of_fashion(folder: Path, part: str) -> mintage.Dataset:
    images = torch.from_numpy(idx(folder, f"{part}-images", 16).reshape(-1, 1, 28, 28).copy())
    return mintage.Dataset(images, torch.from_numpy(idx(folder, f"{part}-labels", 8).astype("int64")))


def table(runs: list[Row], images: int) -> str:
    """The figures of a budget, as means over seeds with their spread."""
    kinds = [*FAMILIES, "nearest", "real"]
    titles = {"nearest": "the nearest training image", "real": "real images"}
    found = {kind: [row for row in runs if row["kind"] == kind] for kind in kinds}
    lines = [
        f"| {images:,} images each | {' | '.join(titles.get(kind, f'`{kind}`') for kind in kinds)} |",
        f"| --- {'| --- ' * len(kinds)}|",
    ]
    for name, (title, form) in COLUMNS.items():
        cells = [
            _cell([row["figures"][name] for row in rows if name in row["figures"]], form) for rows in found.values()
        ]
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _cell(values: list[float], form: str) -> str:
    if not values:
        return ""
    spread = f" ± {form.format(stdev(values)).removesuffix(' dB')}" if len(values) > 1 else ""
    return form.format(mean(values)) + spread


def sheet(held: mintage.Dataset, models: dict[str, Model]) -> bytes:
    """Images of the holdout, each model's reconstructions, and samples of each model."""
    shown = held.image[:SHOWN]
    made = [shown, *(model.reconstruct(shown) for model in models.values())]
    made += [model.sample(SHOWN * ROWS) for model in models.values()]
    return png_of(made, SHOWN, scale=2)


def main() -> None:
    parser = parser_of("benchmarks.autoencoding", __doc__)
    parser.add_argument("fashion", type=Path)
    parser.add_argument("--images", type=natural, default=100_000, help="that a run sees")
    parser.add_argument("--seeds", type=natural, default=2)
    parser.add_argument("--out", type=Path, default=Path(".autoencoding"), help="runs.jsonl, and a folder a run")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    out = asked.out / str(asked.images)
    log = Log(out)
    done = {(row["kind"], row["seed"]) for row in log.rows()}
    wanted = [(kind, seed) for seed in range(asked.seeds) for kind in FAMILIES]
    left = [one for one in [("nearest", 0), ("real", 0), *wanted] if one not in done]
    if left:
        bench = Bench.open(asked.fashion)
    for kind, seed in left:
        if kind in FAMILIES:
            row = bench.run(kind, seed, asked.images, out / f"{kind}-{seed}")
        else:
            row = bench.nearest() if kind == "nearest" else bench.real()
        log.keep(row | {"kind": kind, "seed": seed})
    models = {kind: mintage.load(out / f"{kind}-0") for kind in FAMILIES}
    PICTURE.write_bytes(sheet(of_fashion(asked.fashion, "t10k"), models))
    fill(PAGE, TABLE, table(log.rows(), asked.images))


if __name__ == "__main__":
    run_stage(main)
