"""An encoder of a model that is told attributes: where projection begins, and how far it comes from there.

`python -m benchmarks.age_cgan AVATARS` writes the table and the picture of docs/projection.md. AVATARS is as in
`benchmarks.projection`, whose experiment this is; FOLDER keeps the model and its encoder, which go on where they were
stopped. The first held-out persons are measured, and looked for among all.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

import mintage
from benchmarks.options import natural
from benchmarks.projection import SHOWN, Pairs, dataset_of, rows_of, table
from benchmarks.shared import fill, judge_of, png_of
from mintage.model import Model
from mintage.projection import Likeness, Projection, project
from mintage.sampling import generate
from stages.common.errors import run_stage
from stages.common.stage import parser_of

PAGE, PICTURE = Path("docs/projection.md"), Path("docs/encoder.png")
TABLE = "<!-- the table that benchmarks/age_cgan.py writes -->"
FEW, MANY = 20, 200
"""Steps of the descent."""
DRAWN = ("encoder", f"best of 2,048, {MANY} steps", f"encoder, {MANY} steps")


@dataclass(frozen=True)
class Way:
    """A way to project: where the descent begins, how long it is, and what it compares beside pixels."""

    model: Model
    steps: int
    likeness: Likeness | None = None

    def find(self, pairs: Pairs, count: int) -> tuple[Projection, float]:
        """The projection of the first `count` persons, whose attributes are known, and its CPU seconds."""
        begun, known = time.process_time(), pairs.own[:count]
        sources = pairs.sources[:count]
        found = project(self.model.generator, sources, known, own=True, steps=self.steps, likeness=self.likeness)
        return found, time.process_time() - begun


def ways(first: Model, encoding: Model, likeness: Likeness) -> dict[str, Way]:
    found = {"encoder": Way(encoding, 0), "best of 2,048": Way(first, 0)}
    for steps in (FEW, MANY):
        found |= {f"{name}, {steps} steps": Way(found[name].model, steps) for name in ("encoder", "best of 2,048")}
    return found | {
        f"{name}, {MANY} steps, features too": Way(found[name].model, MANY, likeness)
        for name in ("encoder", "best of 2,048")
    }


def noise(count: int, size: int) -> Tensor:
    return torch.randn(count, size, generator=torch.Generator().manual_seed(0))


def main() -> None:
    parser = parser_of("benchmarks.age_cgan", __doc__)
    parser.add_argument("avatars", type=Path)
    parser.add_argument("--model", type=Path, default=Path(".age_cgan"), metavar="FOLDER")
    parser.add_argument(
        "--images", type=natural, nargs=2, default=(100_000, 100_000), help="that model and encoder see"
    )
    parser.add_argument("--persons", type=natural, default=64, help="held-out ones that are measured")
    given = parser.parse_args()
    torch.set_num_threads(1)
    train = dataset_of(given.avatars, rows_of(given.avatars, "train"))
    of_first, of_encoder = given.images
    folder = given.model
    first = mintage.train(train, "sngan_attributes", of_first, folder=folder / "first", device="cpu").model
    begun = time.process_time()
    run = mintage.train(train, "age_cgan", of_encoder, first=first, folder=folder / "encoder", device="cpu")
    encoding = run.model
    left = mean(row["encoder_loss"] for row in run.history[-10:])
    print(f"the encoder took {time.process_time() - begun:.0f} CPU seconds; its loss is {left:.1f}", flush=True)
    pairs = Pairs(given.avatars, train, judge_of(train))
    count, size = given.persons, first.latent_size
    found = {}
    for name, way in ways(first, encoding, pairs.judge.features).items():
        found[name] = way.find(pairs, count)
        print(f"{name}: {found[name][1]:.1f} CPU seconds", flush=True)
    floors = {"the mean latent": torch.zeros(count, size), "any latent": noise(count, size)}
    own = {name: generate(first.generator, latents, pairs.own[:count]) for name, latents in floors.items()}
    asked = {name: generate(first.generator, latents, pairs.asked[:count]) for name, latents in floors.items()}
    as_found = {name: pairs.as_found(one.images) | {"CPU seconds": seconds} for name, (one, seconds) in found.items()}
    as_found |= {name: pairs.as_found(images) | {"CPU seconds": 0.0} for name, images in own.items()}
    worn = {name: pairs.given_glasses(one) for name, (one, _) in found.items()} | asked
    worn |= {"the picture as it is": pairs.sources[:count], "the truth": pairs.truths[:count]}
    given_glasses = {name: pairs.with_glasses(images) for name, images in worn.items()}
    title = f"{count} held-out faces, attributes known, found"
    text = "\n\n".join([table(as_found, title), table(given_glasses, "given glasses")])
    shown = [pairs.sources, *(found[name][0].images for name in DRAWN), *(worn[name] for name in DRAWN), pairs.truths]
    PICTURE.write_bytes(png_of([one[:SHOWN] for one in shown], SHOWN, scale=2))
    fill(PAGE, TABLE, text)
    print(text)


if __name__ == "__main__":
    run_stage(main)
