"""Faces found in a model that is told attributes, and given glasses: is it still the same face?

`python -m benchmarks.projection AVATARS --model FOLDER` writes the table and the picture of docs/projection.md. AVATARS
has avatars.zip and attributes.csv, with persons drawn without and with glasses; FOLDER keeps the training, which goes
on where it was stopped. Held-out persons are found without their glasses, get those of their other picture, and are
looked for among all held-out pictures with glasses.
"""

import csv
import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import mintage
from benchmarks.options import natural
from benchmarks.shared import fill, judge_of, png_of
from mintage.attributes import right
from mintage.conditions import conditions_asked
from mintage.evaluator import Evaluator, features_of
from mintage.metrics.pairs import psnr, retrieval
from mintage.model import Model
from mintage.projection import Likeness, Projection, project
from mintage.sampling import generate
from stages.common.errors import run_stage
from stages.common.stage import parser_of
from stages.selection.extraction import quantize

COLUMNS = ("glasses", "hair", "hair_color", "hat", "skin", "facial_hair", "clothing_color", "background")
SIDE, SHOWN = 32, 16
PAGE, PICTURE = Path("docs/projection.md"), Path("docs/projection.png")
TABLE = "<!-- the table that benchmarks/projection.py writes -->"
Rows = list[dict[str, str]]


def rows_of(folder: Path, split: str) -> Rows:
    with (folder / "attributes.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["split"] == split]


def images_of(folder: Path, rows: Rows) -> Tensor:
    with zipfile.ZipFile(folder / "avatars.zip") as archive:
        place = {Path(name).name: name for name in archive.namelist()}
        opened = (Image.open(io.BytesIO(archive.read(place[row["file"]]))) for row in rows)
        levels = [np.asarray(one.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)) for one in opened]
    return torch.from_numpy(np.stack(levels)).permute(0, 3, 1, 2).float() / 127.5 - 1


def dataset_of(folder: Path, rows: Rows) -> mintage.Dataset:
    return mintage.Dataset(images_of(folder, rows), attributes={name: [row[name] for row in rows] for name in COLUMNS})


class Pairs:
    """Persons of the holdout, without and with glasses, as features of a network that predicts attributes.

    Fewer images than persons are images of the first persons, and are searched for among all persons.
    """

    def __init__(self, folder: Path, train: mintage.Dataset, judge: Evaluator) -> None:
        rows = rows_of(folder, "test")
        by_pair = {(row["pair"], row["file"].endswith("-on.png")): row for row in rows if row["pair"]}
        pairs = sorted({pair for pair, _ in by_pair})
        without, wearing = ([by_pair[pair, glasses] for pair in pairs] for glasses in (False, True))
        self.judge, self.names = judge, train.attribute_names or ()
        self.own, self.asked = (_bits(self.names, rows) for rows in (without, wearing))
        self.sources, self.truths = images_of(folder, without), images_of(folder, wearing)

    def as_found(self, images: Tensor) -> dict[str, float]:
        made = quantize(images)
        features = features_of(self.judge, made)
        return {
            "PSNR": psnr(made, self.sources[: len(made)]).mean().item(),
            "own attributes": self._right(features, self.own).double().mean().item(),
            "retrieval": retrieval(features, features_of(self.judge, self.sources)),
        }

    def with_glasses(self, images: Tensor) -> dict[str, float]:
        features = features_of(self.judge, quantize(images))
        found = self._right(features, self.asked)
        return {
            "PSNR": psnr(quantize(images), self.truths[: len(images)]).mean().item(),
            "glasses": found[:, 0].double().mean().item(),
            "other attributes": found[:, 1:].double().mean().item(),
            "retrieval": retrieval(features, features_of(self.judge, self.truths)),
        }

    def given_glasses(self, found: Projection) -> Tensor:
        """Each person's projection with the glasses of the person's other picture."""
        assert found.condition is not None
        glasses = [place for place, name in enumerate(self.names) if name.startswith("glasses=")]
        changed = found.condition.clone()
        changed[:, glasses] = self.asked[: len(changed), glasses]
        return generate(found.generator, found.latents, changed)

    def _right(self, features: Tensor, asked: Tensor) -> Tensor:
        with torch.no_grad():
            return right(self.judge.head(features), asked[: len(features)], self.names)


def _bits(names: tuple[str, ...], rows: Rows) -> Tensor:
    """Attributes as bits `[N,K]`, -1 or 1."""
    bits = [[1.0 if row[name.split("=")[0]] == name.split("=")[1] else -1.0 for name in names] for row in rows]
    return torch.tensor(bits)


def ways(model: Model, pairs: Pairs, likeness: Likeness) -> dict[str, Projection]:
    """Projections by method: with attributes found or known, by pixels alone or also by features."""
    generator, sources, own = model.generator, pairs.sources, pairs.own
    return {
        "attributes found, by pixels": project(generator, sources, conditions_asked(generator, None, {})),
        "attributes known, by pixels": project(generator, sources, own, own=True),
        "attributes known, by pixels and features": project(generator, sources, own, own=True, likeness=likeness),
    }


def table(found: dict[str, dict[str, float]], title: str) -> str:
    columns = list(next(iter(found.values())))
    lines = [f"| {title} | {' | '.join(columns)} |", f"| --- {'| --- ' * len(columns)}|"]
    for name, figures in found.items():
        units = {"PSNR": "{:.1f} dB", "CPU seconds": "{:.1f}"}
        cells = [units.get(key, "{:.1%}").format(value) for key, value in figures.items()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def nearest(train: Tensor, sources: Tensor) -> Tensor:
    return train[torch.cdist(sources.flatten(1), train.flatten(1)).argmin(1)]


def main() -> None:
    parser = parser_of("benchmarks.projection", __doc__)
    parser.add_argument("avatars", type=Path)
    parser.add_argument("--model", type=Path, default=Path(".projection"))
    parser.add_argument("--images", type=natural, default=100_000, help="that the model is shown")
    given = parser.parse_args()
    torch.set_num_threads(1)
    train = dataset_of(given.avatars, rows_of(given.avatars, "train"))
    model = mintage.train(train, "sngan_attributes", given.images, folder=given.model, device="cpu").model
    pairs = Pairs(given.avatars, train, judge_of(train))
    found = ways(model, pairs, pairs.judge.features)
    glasses = {name: pairs.given_glasses(one) for name, one in found.items()}
    noise = torch.randn(len(pairs.asked), model.latent_size, generator=torch.Generator().manual_seed(0))
    anybody = generate(model.generator, noise, pairs.asked)
    near = nearest(train.image, pairs.sources)
    as_found = {name: pairs.as_found(one.images) for name, one in found.items()}
    as_found |= {"the nearest training picture": pairs.as_found(near), "itself": pairs.as_found(pairs.sources)}
    worn = {name: pairs.with_glasses(images) for name, images in glasses.items()}
    worn |= {
        "the picture as it is": pairs.with_glasses(pairs.sources),
        "anybody with these attributes": pairs.with_glasses(anybody),
        "the truth": pairs.with_glasses(pairs.truths),
    }
    count = len(pairs.sources)
    text = "\n\n".join([table(as_found, f"{count} held-out faces, found"), table(worn, "given glasses")])
    shown = [pairs.sources, *(one.images for one in found.values()), *glasses.values(), pairs.truths]
    PICTURE.write_bytes(png_of([one[:SHOWN] for one in shown], SHOWN, scale=2))
    fill(PAGE, TABLE, text)
    print(text)


if __name__ == "__main__":
    run_stage(main)
