"""Translate: your own pictures by a model that makes images of images, each into a PNG.

    python -m stages.translate drawing.png photos/ --out translated
    python -m stages.translate --release s3://BUCKET/PREFIX/channels/production --fit tiles scan.tif --out translated

A folder gives all pictures in it, of any format that ingest reads. What is in --out already is left as it is.
Nothing of a release is run; the same pictures and seed give the same bits.
"""

import argparse
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from mintage.model import Model, load
from mintage.release import ReleaseError, read
from mintage.sampling import CHUNK, generate, latents_at
from stages.common.device import steady_device_for
from stages.common.errors import UserError, counted, quoted, run_stage
from stages.common.files import read_json, write_bytes
from stages.common.levels import FloatImages, floats, to_uint8
from stages.common.marks import Mark, family_in, mark_of_weights, with_mark
from stages.common.models import weights_of
from stages.common.pictures import encode_png
from stages.common.stage import parser_of, progress_bar
from stages.images.decode import UndecodableError, decode
from stages.images.fit import Fit, Geometry, fitted
from stages.images.tensors import tensors
from stages.images.tiles import Tiling
from stages.sources.folder import Folder
from stages.sources.limits import is_image
from stages.sources.names import of_system
from stages.sources.tree import Entry

SELECTED, _PROVENANCE = "models/selected", "provenance.json"
MAX_PIXELS = 50_000_000
_TILES = "tiles"
_NAMED = 3


@dataclass(frozen=True)
class Job:
    """A picture to translate."""

    entry: Entry
    target: Path


def main() -> None:
    arguments = parser().parse_args()
    model, mark = translator(arguments.release, arguments.to)
    if arguments.fit == _TILES:
        require_tiles(model)
    model.generator.to(steady_device_for(arguments.device))
    found = jobs(arguments.inputs, Path(arguments.out))
    waiting = [job for job in found if not job.target.exists()]
    broken = translate(model, waiting, arguments.fit, arguments.seed, mark)
    print(f"translated {counted(len(waiting) - len(broken), 'picture')}: {arguments.out}")
    say_broken(found, waiting, broken, arguments.out)


def say_broken(found: list[Job], waiting: list[Job], broken: list[str], out: str) -> None:
    """How many were there already. Raises UserError, at the end of all work, where some could not be read."""
    if there := len(found) - len(waiting):
        print(f"left {counted(there, 'picture')} as they were: remove them from {out} to make them again")
    if broken:
        some = ", ".join(broken[:_NAMED]) + ", ..." * (len(broken) > _NAMED)
        raise UserError("pictures-broken", f"{counted(len(broken), 'picture')} cannot be read: {some}")


def parser() -> argparse.ArgumentParser:
    made = parser_of("stages.translate", __doc__)
    made.add_argument("inputs", nargs="+", metavar="INPUT", help="a picture, or a folder of some")
    made.add_argument("--out", required=True, metavar="FOLDER", help="where the PNGs go")
    made.add_argument("--release", default=SELECTED, help=f"a channel, a release or a folder (default: {SELECTED})")
    made.add_argument("--to", metavar="DOMAIN", help="of a model between two domains, the one to make")
    fits = (*get_args(Fit), _TILES)
    made.add_argument("--fit", default="resize", choices=fits, help="to the model's size, or tiles at a picture's own")
    made.add_argument("--seed", type=int, default=0, help="decides the noise of a model that has some")
    made.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    return made


def translator(address: str, to: str | None = None) -> tuple[Model, Mark]:
    """The model of a release or a folder, between two domains in the direction that makes `to`, and its mark.

    Raises UserError where there is none, or none that translates pictures, or no such direction.
    """
    try:
        model = load(address)
    except ReleaseError as error:
        raise UserError("release-unusable", f"--release = {error}") from None
    source = model.generator.config.source_shape
    if source is None:
        raise UserError("model-does-not-translate", f"{address} makes images of noise: name one that translates")
    if source[0] not in (1, 3):
        raise UserError(
            "model-does-not-translate", f"{address} takes images of {source[0]} channels: no picture has so many"
        )
    try:
        return Model(model.towards(to)), mark_of_weights(weights_of(model.generator), family_of(address))
    except ValueError as error:
        raise UserError("domain-unknown", f"--to: {error}") from None


def family_of(address: str) -> str | None:
    """The family of a model in a folder, such as models/selected, or in a release; None where that does not say it."""
    path = Path(address, _PROVENANCE)
    try:
        return family_in(read_json(path) if path.is_file() else json.loads(*read(address, [_PROVENANCE])))
    except (ReleaseError, ValueError):
        return None


def require_tiles(model: Model) -> None:
    """Raises UserError where images are not a whole number of times as large as their sources."""
    source, image = model.generator.config.source_shape, model.shape
    if source is not None and any(large % small for large, small in zip(image[1:], source[1:], strict=True)):
        raise UserError(
            "tiles-do-not-fit",
            f"the model makes images of {image[2]} x {image[1]} of {source[2]} x {source[1]}, which is no whole number "
            "of times as large: set --fit to resize",
        )


def jobs(inputs: list[str], out: Path) -> list[Job]:
    """A job for each picture of the inputs. Raises UserError where there is none, or two would be written as one."""
    found: dict[Path, Job] = {}
    for given in map(Path, inputs):
        for entry in _entries(given):
            target = out / Path(entry.name).with_suffix(".png")
            if target in found:
                raise UserError(
                    "outputs-clash",
                    f"{quoted(found[target].entry.name)} and {quoted(entry.name)} would both be written to {target}: "
                    "rename one of them, or translate them into folders apart",
                )
            found[target] = Job(entry, target)
    if not found:
        raise UserError(
            "source-without-images", f"there is no picture in {', '.join(inputs)}: name pictures or a folder"
        )
    return list(found.values())


def _entries(given: Path) -> Iterator[Entry]:
    if given.is_dir():
        for entry in Folder(given, MAX_PIXELS).entries():
            if entry.kind == "file" and is_image(entry.name) and not any(map(of_system, entry.name.split("/"))):
                yield entry
    elif given.is_file():
        yield Entry(given.name, "file", given.read_bytes, str)
    else:
        raise UserError("source-missing", f"{str(given)!r} is neither a picture nor a folder: name what is there")


def translate(model: Model, waiting: list[Job], fit: str, seed: int, mark: Mark) -> list[str]:
    """Write the translations, marked; return the names of pictures that cannot be read, each with the reason."""
    config, broken = model.generator.config, []
    assert config.source_shape is not None
    channels, *shape = config.source_shape
    ahead: deque[tuple[Job, Tiling]] = deque()

    def tiles() -> Iterator[FloatImages]:
        for job in waiting:
            try:
                picture = picture_of(job.entry, channels, None if fit == _TILES else Geometry(shape[0], shape[1], fit))  # type: ignore[arg-type]
            except (UndecodableError, OSError) as error:
                broken.append(f"{quoted(job.entry.name)} ({error})")
                continue
            tiling = Tiling((picture.shape[1], picture.shape[2]), (shape[0], shape[1]))
            ahead.append((job, tiling))
            yield from tiling.cut(picture)

    made = translations(model, tiles(), seed)
    with progress_bar("translate", len(waiting)) as bar:
        for first in made:
            job, tiling = ahead.popleft()
            levels = tiling.joined(chain([first], made)) if fit == _TILES else to_uint8(first)
            job.target.parent.mkdir(parents=True, exist_ok=True)
            write_bytes(job.target, with_mark(encode_png(levels), mark))
            bar.update(1)
    return broken


def translations(model: Model, tiles: Iterator[FloatImages], seed: int) -> Iterator[FloatImages]:
    """What the model makes of each tile, `[C,H,W]` in [-1,1]; memory: one chunk of them."""
    for number, chunk in enumerate(iter(lambda: list(islice(tiles, CHUNK)), [])):
        latents = latents_at(model.generator.config, seed, number)[: len(chunk)]
        sources: Tensor = torch.from_numpy(np.stack(chunk))
        yield from generate(model.generator, latents, sources, seed, number).numpy()


def picture_of(entry: Entry, channels: int, geometry: Geometry | None) -> FloatImages:
    """`[C,H,W]` in [-1,1], of the size that the geometry says, or of its own."""
    picture = decode(entry.content(), channels, MAX_PIXELS).picture
    picture = picture if geometry is None else fitted(picture, geometry)
    image: FloatImages = floats(tensors([picture], channels))[0]
    return image


if __name__ == "__main__":
    run_stage(main)
