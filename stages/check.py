"""Find what is wrong before anything runs; `make run` does this first.

Reads params.yaml, dvc.yaml, the names of the source's files (and some pictures), what ingest says that it
brought, and what git and DVC's settings say. Changes one file only: it removes the note "not published" from
published.json, so that the next run publishes that experiment.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TypeVar

from stages.checking.machine import cluster_problems, device_problems, require_recipe
from stages.checking.source import option_problems, overlap, path_problems, table_problems, unread_notes
from stages.common.at_work import at_work
from stages.common.dvc import runnable_stages
from stages.common.dvc_file import outputs_of
from stages.common.errors import UserError, run_stage
from stages.common.experiment import experiment
from stages.common.foresight import Known, foreseen
from stages.common.params import Ingest, Params, Select, Upload, load_params
from stages.common.place import cache_problems, git_notes, links_problems, room_problems
from stages.common.plausible import too_fast, too_many_threads
from stages.common.provenance import made_by
from stages.common.receipt import publish_again
from stages.common.stage import parser_of
from stages.media.images import Images
from stages.media.medium import Medium
from stages.media.settings import require_settings
from stages.releases import card
from stages.sources import Source, has_attributes, medium_from, named, paired_from
from stages.sources.few import too_few
from stages.sources.sizes import look
from stages.stores import open_store
from stages.stores.folder import FolderStore

Answer = TypeVar("Answer")
Unknown = TypeVar("Unknown")


def main() -> None:
    params = load_params()
    source = check(params, outputs(Path("dvc.yaml")))
    if params.upload.publish == "runs":
        publish_again(Path())
    print("nothing was found that would stop a run")
    of_data = _notes_of_data(params) if source is None else source.notes
    of_git, of_store = git_notes(params.upload.uncommitted, Path()), _store_notes(params.upload)
    of_machine = [*at_work(Path()), *too_many_threads(params)]
    notes = [of_machine, of_git, of_store, unread_notes(params.ingest), of_data]
    for note in chain.from_iterable(notes):
        print(f"note: {note}", file=sys.stderr)


def check(params: Params, made: list[Path], root: Path = Path()) -> Source | None:
    """Raise a UserError that names everything wrong; `made` are the paths that the pipeline writes under `root`.

    Else the source, of which only some images are read, where names tell at once what it has.
    """
    ingest = params.ingest
    of_source = [*option_problems(ingest), *path_problems(ingest, made, root), *table_problems(ingest)]
    source, unread = (None, []) if of_source else _source_by_names(params, root)
    known = None if source is None else source.known(params.normalize)
    problems = [
        *of_source,
        *unread,
        *([] if source is None else [*too_few(params, source), *_unusable(params, source)]),
        *_store(params, root),
        *_card(params.upload),
        *_moved(params, root),
        *_shape(params),
        *foreseen(params, known or _known(params)),
        *too_fast(params),
        *_weights(params.select, root),
        *device_problems(params),
        *cluster_problems(params),
        *room_problems(params.sample.count, (known or _known(params)).shape, root),
    ]
    sentences = [f"params.yaml: {problem}" for problem in problems]
    sentences += [*links_problems(made, root), *cache_problems(root)]
    if sentences:
        raise UserError("params-do-not-fit", "; ".join(sentences))
    require_recipe(params, known or _known(params), root)
    return source


def outputs(graph: Path) -> list[Path]:
    """Every path that a stage of dvc.yaml writes."""
    return [Path(out) for stage in runnable_stages(graph).values() for out in outputs_of(stage)]


def _store(params: Params, root: Path) -> Iterator[str]:
    """Sentences on `upload.url`; the store itself raises on a form that it cannot use."""
    store = open_store(params.upload.url)
    if not isinstance(store, FolderStore):
        return
    target = root / store.root
    place = next(folder for folder in (target, *target.absolute().parents) if os.path.lexists(folder))
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK) or _of_the_kernel(place):
        yield f"upload.url = {params.upload.url!r}: you cannot write to {place}: name another folder"
    elif params.ingest.path.strip() and overlap(target, root / params.ingest.path):
        yield "upload.url and ingest.path overlap: releases would be taken for images; keep them in folders apart"


def _of_the_kernel(folder: Path) -> bool:
    """Whether nobody can make a file there, root neither, as in /proc: it has no blocks and no permission to write."""
    return not os.statvfs(folder).f_blocks and not folder.stat().st_mode & 0o222


def _moved(params: Params, root: Path) -> Iterator[str]:
    """A sentence on a first stage in the channel that upload moves: the next training would stand on this one."""
    first, upload = params.train.first or "", params.upload
    store, _, channel = first.removesuffix(".json").rpartition("/channels/")
    if channel != "latest" or upload.publish == "never" or (upload.publish == "runs" and experiment()):
        return
    places = [url if url.startswith("s3://") else root / FolderStore(url).root for url in (store, upload.url)]
    one, other = (place.rstrip("/") if isinstance(place, str) else place.resolve() for place in places)
    if one == other:
        yield (
            f"train.first = {first!r} is the channel that upload moves to what is made of it, and the next training "
            "would stand on that: name a release, or promote this one to a channel of its own"
        )


def _card(upload: Upload) -> Iterator[str]:
    """What the release at the end of this run would be refused for."""
    if upload.publish != "never" and (sentence := card.missing(upload)):
        yield sentence


def _store_notes(upload: Upload) -> Iterator[str]:
    """A sentence where a bucket cannot be written to for want of credentials, which may come while a model trains."""
    if not upload.url.startswith("s3://") or upload.publish == "never":
        return
    from stages.common.s3 import has_credentials  # boto3 takes half a second to import

    if not has_credentials():
        yield (
            f"no credentials for {upload.url} are found, so what is made now will not be published: set "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, before the stage upload"
        )


def _notes_of_data(params: Params) -> Iterator[str]:
    """What will not fit the data that ingest brought for these params.

    It is asked only where no names tell what the source has now: it may have other data since.
    """
    if made_by("ingest", params.ingest):
        from stages.images.raw import read_raw_set  # Parquet, which nothing else here reads

        with suppress(UserError):  # its outputs are gone, and will be made again
            for problem in foreseen(params, read_raw_set(Path("data/raw")).known(params.normalize)):
                yield f"of the data as ingest brought it last: {problem}"


def _unusable(params: Params, source: Source) -> list[str]:
    """Sentences on pictures for which normalize surely stops; what is wrong with others joins the source's notes."""
    said, will_stop = look(source, params.normalize, params.ingest.max_pixels)
    if not will_stop:
        source.notes[:0] = said
    return said if will_stop else []


def _source_by_names(params: Params, root: Path) -> tuple[Source | None, list[str]]:
    """The source, where names tell at once what it has; or why it cannot be read."""
    ingest = params.ingest.model_copy(update={"path": str(root / params.ingest.path)})
    try:
        source = named(ingest)
        if source is not None and not source.medium.of_pictures:
            next(source.images, None)  # raises where the package is missing that reads it
        return source, []
    except UserError as error:
        shown = str(error).removeprefix(f"{ingest.path} ")
        return None, [f"ingest.path = {params.ingest.path!r} {shown}" if shown != str(error) else shown]
    except (ModuleNotFoundError, OSError):  # the stage has a sentence on it
        return None, []


def _known(params: Params) -> Known:
    """What params alone say of the data."""
    medium, digits = _medium(params.ingest), tuple("0123456789" if params.ingest.source == "digits" else "")
    return Known(
        params.normalize.shape_of(medium.sides),
        medium,
        classes=len(digits) or None,
        paired=params.normalize.partner is not None or _asked(paired_from, params.ingest, None),
        attributes=_asked(has_attributes, params.ingest, params.ingest.attributes is not None),
        domains=params.ingest.domains is not None,
        smaller=params.normalize.partner == "lower_resolution",
        class_names=digits,
    )


def _medium(ingest: Ingest) -> Medium:
    return _asked(medium_from, ingest, Images())


def _asked(question: Callable[[Ingest], Answer], ingest: Ingest, unknown: Unknown) -> Answer | Unknown:
    """The source's answer; `unknown` where it cannot be asked, which another sentence tells."""
    try:
        return question(ingest)
    except (ModuleNotFoundError, UserError):
        return unknown


def _shape(params: Params) -> Iterator[str]:
    """A sentence where settings do not fit samples, which normalize refuses."""
    try:
        require_settings(_medium(params.ingest), params.normalize)
    except UserError as error:
        yield f"source {params.ingest.source!r}: {error}"


def _weights(select: Select, root: Path) -> Iterator[str]:
    """A sentence where the weights are missing by which select would measure, after the whole training."""
    weights = select.inception
    if select.features == "inception" and weights and not (root / weights.path).is_file():
        yield f"select.inception.path = {weights.path!r} is missing: bring that file, or set features to domain"


if __name__ == "__main__":
    parser_of("stages.check", __doc__).parse_args()
    run_stage(main)
