"""Make your own pictures again with a model, as like as it can, then with other attributes or of another class.

    python -m stages.project face.png faces/ --out projected
    python -m stages.project face.png --release s3://BUCKET/PREFIX/channels/production --set glasses=true --out changed

A folder stands for all pictures in it. For each picture the command searches for the latent whose picture is most like
it, starting from the encoder if there is one; what the model cannot make is lost. Existing files in --out are kept. If
they came from other inputs or settings, the command stops. It runs no code from a release.
"""

import argparse
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from torch import Tensor

from mintage.checkpoint import weights_of
from mintage.conditions import conditions_asked
from mintage.metrics.pairs import psnr
from mintage.model import Model
from mintage.sampling import CHUNK
from stages.common.device import steady_device_for
from stages.common.errors import UserError, counted, quoted, run_stage
from stages.common.files import write_bytes
from stages.common.levels import FloatImages, to_uint8
from stages.common.marks import Mark, mark_of_weights, with_mark
from stages.common.pictures import encode_png
from stages.common.released import family_of
from stages.common.stage import parser_of, progress_bar
from stages.images.decode import UndecodableError
from stages.images.fit import Fit, Geometry
from stages.translate import SELECTED, loaded, makes_pictures
from stages.translating.carriers import picture_of
from stages.translating.jobs import Job, Maker, jobs, require_there, say_broken, waiting_of


@dataclass(frozen=True)
class Wanted:
    """What a user asks for."""

    label: str | None
    """The class in which to search; None: for each picture the class that fits best."""
    changes: dict[str, bool | float | str]
    """Attributes to change after the search."""
    to: str | None
    """The class to change to after the search."""
    fit: Fit
    steps: int
    seed: int


def main() -> None:
    given = parser().parse_args()
    if given.steps < 0:
        raise UserError("option-invalid", f"--steps is {given.steps}: give 0 or more")
    require_there(given.inputs)
    model, mark = projector(given.release)
    model.generator.to(steady_device_for(given.device))
    wanted = Wanted(given.label, changes_of(given.set), given.to, given.fit, given.steps, given.seed)
    require_known(model, wanted)
    found = jobs(given.inputs, given.out)
    maker = Maker(mark, asdict(wanted))
    waiting = waiting_of(found, maker, given.out)
    broken: list[str] = []
    likenesses = list(project(model, waiting, wanted, maker, broken))
    ends = dict.fromkeys(f"{end(likenesses):.1f}" for end in (min, max) if likenesses)
    alike = f", PSNR {' to '.join(ends)} dB as found" if ends else ""
    begun = ", beginning at what its encoder says" if likenesses and model.generator.encoder is not None else ""
    print(f"projected {counted(len(likenesses), 'picture')}{begun}{alike}: {given.out}")
    say_broken(found, waiting, broken, given.out)


def parser() -> argparse.ArgumentParser:
    made = parser_of("stages.project", __doc__)
    made.add_argument("inputs", nargs="+", metavar="INPUT", help="a picture, or a folder of some")
    made.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the PNGs go")
    made.add_argument("--release", default=SELECTED, help=f"a channel, a release or a folder (default: {SELECTED})")
    made.add_argument("--label", metavar="CLASS", help="look in this class alone")
    made.add_argument("--to", metavar="CLASS", help="write the picture of the same latent in this class")
    made.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="change an attribute; repeat it")
    made.add_argument("--fit", default="resize", choices=get_args(Fit), help="how pictures come to the model's size")
    made.add_argument("--steps", type=int, default=200, help="of the descent (default: %(default)s)")
    made.add_argument("--seed", type=int, default=0, help="decides where the descent begins")
    made.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    return made


def projector(address: str) -> tuple[Model, Mark]:
    """The model of a release or a folder, and its mark. Raises UserError if it makes no pictures from noise."""
    model = loaded(address)
    if model.generator.config.translates or model.vocabulary is not None or not makes_pictures(address, model):
        raise UserError("model-does-not-project", f"{address} makes no pictures from noise: name a model that does")
    if model.shape[0] not in (1, 3):
        raise UserError("model-does-not-project", f"{address} makes images of {model.shape[0]} channels: no picture")
    return model, mark_of_weights(weights_of(model.generator), family_of(address))


def changes_of(given: list[str]) -> dict[str, bool | float | str]:
    """Attributes by name, with values as in params.yaml. Raises UserError on an argument that is no NAME=VALUE."""
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        try:
            read: Any = YAML(typ="safe", pure=True).load(value)
        except YAMLError:
            read = None
        if not name or not equals or not isinstance(read, bool | int | float | str):
            raise UserError("option-invalid", f"--set {quoted(one)} is no NAME=VALUE: write such as glasses=true")
        found[name] = read
    return found


def project(model: Model, waiting: list[Job], wanted: Wanted, maker: Maker, broken: list[str]) -> Iterator[float]:
    """Write the pictures, marked as generated; yield how similar each is to its original, in decibels.

    `broken` gets the names of pictures that cannot be read, with the reasons.
    """
    height, width = model.shape[1:]
    pictures = _pictures(waiting, model.shape[0], Geometry(height, width, wanted.fit), maker, broken)
    with progress_bar("project", len(waiting)) as bar:
        for chunk in iter(lambda: list(islice(pictures, CHUNK)), []):
            own = torch.from_numpy(np.stack([picture for _, picture, _ in chunk]))
            made, found = projected(model, own, wanted)
            for (job, _, digest), image, target, like in zip(chunk, made.numpy(), own, found, strict=True):
                job.target.parent.mkdir(parents=True, exist_ok=True)
                write_bytes(job.target, with_mark(encode_png(to_uint8(image)), maker.mark, digest))
                yield float(psnr(like[None], target[None]))
                bar.update(1)


def require_known(model: Model, wanted: Wanted) -> None:
    """Raise UserError, before a search, if the model has no such class or attribute."""
    for option, label in (("--label", wanted.label), ("--to", wanted.to)):
        try:
            conditions_asked(model.generator, label, wanted.changes or None)
        except ValueError as error:
            raise UserError("not-of-the-model", str(error).replace("`label`", option)) from None


def projected(model: Model, images: Tensor, wanted: Wanted) -> tuple[Tensor, Tensor]:
    """The pictures to write for images `[N,C,H,W]`, with the changes, and their projections without changes."""
    found = model.project(images, wanted.label, steps=wanted.steps, seed=wanted.seed)
    if wanted.changes:
        return found.with_attributes(wanted.changes), found.images
    if wanted.to is not None:
        return model.decode(found.latents, wanted.to), found.images
    return found.images, found.images


def _pictures(
    waiting: list[Job], channels: int, geometry: Geometry, maker: Maker, broken: list[str]
) -> Iterator[tuple[Job, FloatImages, str]]:
    for job in waiting:
        try:
            content = job.entry.content()
            yield job, picture_of(content, channels, geometry), maker.digest([content])
        except (UndecodableError, OSError) as error:
            broken.append(f"{quoted(job.entry.name)} ({error})")


if __name__ == "__main__":
    run_stage(main)
