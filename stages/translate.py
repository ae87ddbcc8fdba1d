"""Translate your own pictures or sounds with a model that makes one from another; go on with your own tunes or clips.

    python -m stages.translate drawing.png photos/ --out translated
    python -m stages.translate --release s3://BUCKET/PREFIX/channels/production --fit tiles scan.tif --out translated
    python -m stages.translate --release models/denoiser noisy.wav --out clean
    python -m stages.translate --release models/following --follow 8 tune.mid --out longer
    python -m stages.translate --release models/turned --with poses people/ --out turned
    python -m stages.translate --release models/filler --with mask.png photo.jpg --out filled
    python -m stages.translate --release models/frames --follow 8 clip.gif --out longer

A folder stands for all files in it, of any format that ingest reads. Sounds may be of any length. Tunes and clips are
written with the bars or frames that follow, each made from those before it. Existing files in --out are kept. If they
came from other inputs or settings, the command stops. A model that takes maps finds them by name, in a folder for each,
or takes one file for all pictures. A model that fills holes fills what is white in a mask, or transparent in the
picture. The command runs no code from a release; the same files and seed give the same bits.
"""

import argparse
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from shlex import quote
from typing import Any, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor

from mintage.checkpoint import weights_of
from mintage.conditions import sources_asked
from mintage.model import Model, load
from mintage.release import ReleaseError
from mintage.sampling import CHUNK, generate, latents_at
from mintage.sources import has_mask, maps_in
from stages.common.device import steady_device_for
from stages.common.errors import UserError, counted, quoted, run_stage
from stages.common.files import write_bytes
from stages.common.levels import FloatImages
from stages.common.marks import Mark, mark_of_weights, with_mark
from stages.common.released import family_of, provenance_of, release_of
from stages.common.stage import parser_of, progress_bar
from stages.images.decode import UndecodableError
from stages.images.fit import Fit
from stages.media import medium_of
from stages.media.medium import Medium, UnusableError
from stages.sources.folder import Folder
from stages.sources.tree import named
from stages.translating.asking import ask
from stages.translating.carriers import MAX_PIXELS, TILES, Carrier, Lengths, Pictures, Rows
from stages.translating.clips import Clips
from stages.translating.holes import Holes
from stages.translating.jobs import Job, Maker, jobs, require_there, say_broken, waiting_of

SELECTED = "models/selected"
_OF_PICTURES = 3
"""Axes of a picture: channels, height and width."""
_FOLLOW = 4
"""Bars that follow a tune, or frames a clip, where nobody asks for another number."""


def main() -> None:
    arguments = parser().parse_args()
    require_there(arguments.inputs)
    require_there(arguments.maps, "--with")
    model, mark = translator(arguments.release, arguments.to)
    medium = medium_of(provenance_of(arguments.release))
    carrier = carrier_of(model, medium, arguments)
    if arguments.fit == TILES:
        require_tiles(model)
    asked = ask(model, arguments.ask)
    model.generator.to(steady_device_for(arguments.device))
    one = carrier.one
    given = places_of_maps(arguments.maps, carrier, arguments.release)
    found = [with_maps(job, given) for job in jobs(arguments.inputs, arguments.out, carrier, one)]
    settings = {"to": arguments.to, "seed": arguments.seed, "how": carrier.how}
    maker = Maker(mark, settings | ({"asked": asked} if asked else {}))
    waiting = waiting_of(found, maker, arguments.out, one)
    broken = translate(model, waiting, carrier, arguments.seed, maker)
    print(f"translated {counted(len(waiting) - len(broken), one)}: {arguments.out}")
    say_broken(found, waiting, broken, arguments.out, one)


def parser() -> argparse.ArgumentParser:
    made = parser_of("stages.translate", __doc__)
    made.add_argument("inputs", nargs="+", metavar="INPUT", help="a picture, sound, tune or clip, or a folder of some")
    made.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where PNGs, WAVs, MIDI or GIFs go")
    made.add_argument("--release", default=SELECTED, help=f"a channel, a release or a folder (default: {SELECTED})")
    words = (
        "where maps, or masks that are white in the hole, lie under the picture's name, or one of all; once for each"
    )
    made.add_argument("--with", dest="maps", metavar="PLACE", action="append", default=[], help=words)
    made.add_argument("--to", metavar="DOMAIN", help="of a model between two domains, the one to make")
    fits = (*get_args(Fit), TILES)
    made.add_argument(
        "--fit", default="resize", choices=fits, help="pictures to the model's size, or tiles at their own"
    )
    made.add_argument(
        "--follow", type=int, metavar="N", help=f"how many bars follow a tune, or frames a clip (default: {_FOLLOW})"
    )
    made.add_argument(
        "--ask",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="of a model that is told attributes, too, one that all are to have; the others are as in real ones",
    )
    made.add_argument("--seed", type=int, default=0, help="decides the noise of a model that has some")
    made.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    return made


def translator(address: str, to: str | None = None) -> tuple[Model, Mark]:
    """The model of a release or a folder, and its mark; between two domains, in the direction that makes `to`.

    Raises UserError if there is no model, it does not translate, or there is no such direction.
    """
    model = loaded(address)
    source = model.generator.config.bare_source_shape
    if source is None:
        if model.vocabulary is not None:
            raise UserError("model-does-not-translate", f"{address} writes words: name one that translates")
        own = ", or find your pictures in what it makes by `mintage project`" * makes_pictures(address, model)
        raise UserError(
            "model-does-not-translate",
            f"{address} makes {_many(address, model)} from noise: name one that translates{own}",
        )
    known = source[0] in (1, 3) or maps_in(source, model.shape) or has_mask(source, model.shape)
    if len(source) == _OF_PICTURES and not known:
        raise UserError(
            "model-does-not-translate", f"{address} takes images of {source[0]} channels: no picture has so many"
        )
    if model.generator.directions and to is None:
        ways = " or ".join(f"--to {quote(name)}" for name in model.generator.directions)
        raise UserError("domain-unknown", f"say which domain to make: {ways}")
    try:
        mark = mark_of_weights(weights_of(model.generator), family_of(address))
        return Model(model.towards(to)), replace(mark, release=release_of(address))
    except ValueError as error:
        raise UserError("domain-unknown", f"--to: {error}") from None


def loaded(address: str) -> Model:
    """The model of a release or a folder. Raises UserError if there is none."""
    if address == SELECTED and not Path(SELECTED).is_dir():
        raise UserError(
            "nothing-selected",
            f"no model was selected here yet ({SELECTED} is missing): run the pipeline, or name a model with --release",
        )
    try:
        return load(address)
    except ReleaseError as error:
        raise UserError("release-unusable", f"--release = {error}") from None


def makes_pictures(address: str, model: Model) -> bool:
    """Whether its samples are images, which come from picture files; bars, say, may have their shape."""
    return len(model.shape) == _OF_PICTURES and medium_of(provenance_of(address)).of_pictures


def _many(address: str, model: Model) -> str:
    """The word for the samples of a model."""
    about = provenance_of(address)
    return medium_of(about).words.many if "medium" in about or len(model.shape) == 3 else "samples"


def places_of_maps(given: list[str], carrier: Carrier, address: str) -> list[Path | Folder]:
    """A file for all pictures, or a folder with one for each, for each map that the model takes.

    Raises UserError if their number differs.
    """
    if len(given) not in carrier.maps:
        wanted = carrier.maps[-1]
        what = f"{address} takes {counted(wanted, carrier.map) if wanted else f'no {carrier.map}s'}"
        were = "was" if len(given) == 1 else "were"
        mend = "name a folder of each with --with" if wanted else "leave --with out"
        raise UserError("maps-miscounted", f"{what} with each {carrier.one}, and {len(given)} {were} given: {mend}")
    return [Folder(Path(name), MAX_PIXELS) if Path(name).is_dir() else Path(name) for name in given]


def with_maps(job: Job, places: list[Path | Folder]) -> Job:
    """The job with its maps: the given files, or folders' files of its name. Raises UserError if one is missing."""
    return replace(job, beside=(*job.beside, *(_map_in(place, job) for place in places)))


def _map_in(place: Path | Folder, job: Job) -> Callable[[], bytes]:
    if isinstance(place, Path):
        return place.read_bytes
    found = named(place, job.entry.name, Pictures.known_by)
    if found is None:
        raise UserError(
            "partner-missing", f"{quoted(job.entry.name)} has no map in {place.place}: add it, or leave it out"
        )
    return found


def require_tiles(model: Model) -> None:
    """Raise UserError if images are not a whole number of times as large as their sources."""
    source, image = model.generator.config.bare_source_shape, model.shape
    if source is not None and any(large % small for large, small in zip(image[1:], source[1:], strict=True)):
        raise UserError(
            "tiles-do-not-fit",
            f"the model makes images of {image[2]} x {image[1]} of {source[2]} x {source[1]}, which is no whole number "
            "of times as large: set --fit to resize",
        )


def carrier_of(model: Model, medium: Medium, arguments: argparse.Namespace) -> Carrier:
    """The carrier of the model's samples: pictures, samples of any length, or consecutive ones; else UserError."""
    sides = len(model.shape) - 1
    if medium.row and medium.of_pictures:
        return Clips(model, medium, arguments.fit, _following(arguments.follow), arguments.seed)
    if medium.row and model.shape == model.generator.config.bare_source_shape == medium.shape:
        return Rows(model, medium, _following(arguments.follow), arguments.seed)
    if arguments.follow is not None:
        raise UserError(
            "follow-without-rows",
            f"--follow is for models that go on with a tune or a clip, and {arguments.release} does not: leave it out",
        )
    if sides == len(medium.sides) == 1 and medium.suffixes:
        return Lengths(model, medium)
    source = model.generator.config.bare_source_shape
    if source is not None and has_mask(source, model.shape) and medium.of_pictures:
        return Holes(model, arguments.fit)
    if sides == len(medium.sides) and medium.of_pictures:
        return Pictures(model, arguments.fit)
    raise UserError(
        "model-does-not-translate",
        f"the model makes samples of {sides} sides and does not say of what: name a release, or a folder that the "
        "pipeline wrote, of pictures or sounds",
    )


def _following(asked: int | None) -> int:
    """How many bars or frames are to follow."""
    if asked is not None and asked < 1:
        raise UserError("follow-below-1", f"--follow is {asked}: say how many are to follow, 1 or more")
    return _FOLLOW if asked is None else asked


def translate(model: Model, waiting: list[Job], carrier: Carrier, seed: int, maker: Maker) -> list[str]:
    """Write the translations, marked as generated; return the names of unreadable files, with the reasons."""
    broken: list[str] = []
    begun = _begun(waiting, carrier, maker, broken)
    through = _each_alone if _draws(model) else _together
    with progress_bar("translate", len(waiting)) as bar:
        for one, made in through(model, begun, seed):
            _write(one, carrier, made, maker.mark)
            bar.update(1)
    return broken


class Begun(NamedTuple):
    """A file that was read."""

    job: Job
    plan: Any
    pieces: Iterator[FloatImages]
    digest: str
    """The digest of its translation's inputs."""


def _begun(waiting: list[Job], carrier: Carrier, maker: Maker, broken: list[str]) -> Iterator[Begun]:
    for job in waiting:
        try:
            contents = job.contents()
            yield Begun(job, *carrier.cut(*contents), maker.digest(contents))
        except (UndecodableError, UnusableError, OSError) as error:
            broken.append(f"{quoted(job.entry.name)} ({error})")


def _draws(model: Model) -> bool:
    """Whether the model's image depends on noise, beside the source."""
    return model.generator.config.latent_size > 0 or model.generator.config.dropout_in_use


def _each_alone(model: Model, begun: Iterable[Begun], seed: int) -> Iterator[tuple[Begun, Iterator[FloatImages]]]:
    """Translate each file alone, from the same noise, so that its result does not depend on other files."""
    for one in begun:
        yield one, translations(model, one.pieces, seed)


def _together(model: Model, begun: Iterable[Begun], seed: int) -> Iterator[tuple[Begun, Iterator[FloatImages]]]:
    """Translate several small files at once, which is faster."""
    ahead: deque[Begun] = deque()

    def pieces() -> Iterator[FloatImages]:
        for one in begun:
            ahead.append(one)
            yield from one.pieces

    made = translations(model, pieces(), seed)
    for first in made:
        yield ahead.popleft(), chain([first], made)


def _write(one: Begun, carrier: Carrier, made: Iterator[FloatImages], mark: Mark) -> None:
    job = one.job
    content = carrier.joined(one.plan, made)
    job.target.parent.mkdir(parents=True, exist_ok=True)
    for name, part in carrier.parts(one.plan):
        job.folder.mkdir(exist_ok=True)
        write_bytes(job.folder / name, with_mark(part, mark, one.digest))
    write_bytes(job.target, with_mark(content, mark, one.digest))


def translations(model: Model, tiles: Iterator[FloatImages], seed: int) -> Iterator[FloatImages]:
    """The model's translation of each tile, `[C,H,W]` in [-1,1]; memory: one chunk of tiles."""
    for number, chunk in enumerate(iter(lambda: list(islice(tiles, CHUNK)), [])):
        latents = latents_at(model.generator.config, seed, number)[: len(chunk)]
        sources: Tensor = torch.from_numpy(np.stack(chunk))
        yield from generate(
            model.generator, latents, sources_asked(model.generator, sources, None), seed, number
        ).numpy()


if __name__ == "__main__":
    run_stage(main)
