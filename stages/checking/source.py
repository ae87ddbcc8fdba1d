"""What is wrong with `ingest` and the place that it names, before a source reads it."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from stages.common.errors import UserError, counted
from stages.common.params import Ingest
from stages.sources import checked_options, reads_path
from stages.sources.labels import file_beside
from stages.sources.names import needs_no_word, of_system


def option_problems(ingest: Ingest) -> Iterator[str]:
    """Sentences on the source's own options; none where its packages are not installed: only the stage needs them."""
    try:
        checked_options(ingest)
    except ModuleNotFoundError:
        return
    except UserError as error:
        yield str(error).removeprefix("params.yaml: ")


def path_problems(ingest: Ingest, made: list[Path], root: Path) -> Iterator[str]:
    """Sentences on `ingest.path`, which DVC watches whether the source reads it or not."""
    shown, path = f"ingest.path = {ingest.path!r}", root / ingest.path
    if not ingest.path.strip():
        yield f"{shown} is empty: name the folder with your images (data/source, where the source needs none)"
    elif not os.path.lexists(path):
        needed = f"source {ingest.source!r} reads it" if _reads(ingest) else "it is watched though not read"
        yield f"{shown} is missing ({needed}): make it, or name a folder that is there, such as data/source"
    elif met := next((out for out in made if overlap(path, root / out)), None):
        yield f"{shown} overlaps with {met}, which the pipeline writes: keep your images in a folder of their own"
    elif unfit := next(_unfit(path), None):
        yield f"{shown}: {unfit}"


def table_problems(ingest: Ingest) -> Iterator[str]:
    """Sentences on tables about the images that are not there."""
    tables = {
        "ingest.labels": ingest.labels or None,
        "ingest.groups.file": None if ingest.groups is None else ingest.groups.file,
        "ingest.attributes.file": None if ingest.attributes is None else ingest.attributes.file,
    }
    for setting, file in tables.items():
        if file is not None:
            try:
                file_beside(setting, Path(file), Path(ingest.path))
            except UserError as error:
                yield str(error)


def _reads(ingest: Ingest) -> bool:
    fetched = ingest.options.get("download") or ingest.options.get("urls")
    return reads_path(ingest.source) and not (ingest.source == "idx" and fetched)


def unread_notes(ingest: Ingest) -> Iterator[str]:
    """A note on data that lie in wait at `ingest.path` for another source."""
    path = Path(ingest.path)
    if _reads(ingest) or not path.is_dir() or all(of_system(name) or needs_no_word(name) for name in os.listdir(path)):
        return
    from stages.sources.kinds import LOOKED_AT, data_in  # numpy, which nothing else here needs

    source, count = data_in(path)
    if source not in ("", ingest.source):
        files = counted(count, "file") + (" or more" if count >= LOOKED_AT else "")
        yield (
            f"{ingest.path} holds {files}, and ingest.source = {ingest.source!r} does not read them: set ingest.source "
            f"to {source}, if they are your data"
        )


def _unfit(path: Path) -> Iterator[str]:
    """Sentences on what is neither a folder nor a file: DVC waits for ever at a pipe, and fails at a dead link."""
    found = [path] if not path.is_dir() else (Path(top, name) for top, _, names in os.walk(path) for name in names)
    for entry in found:
        try:
            kind = entry.stat().st_mode
        except OSError as error:  # a loop of links, a link to nothing, no permission
            yield f"{str(entry)!r} cannot be read ({error.strerror}): mend or remove it"
        else:
            if not stat.S_ISREG(kind):
                yield f"{str(entry)!r} is no file (a pipe, a socket or a device): remove it"


def overlap(one: Path, other: Path) -> bool:
    """Whether one is, or is inside, the other; links are followed."""
    first, second = Path(os.path.realpath(one)), Path(os.path.realpath(other))
    return first.is_relative_to(second) or second.is_relative_to(first)
