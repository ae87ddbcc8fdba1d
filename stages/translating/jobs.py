"""The work for the named files: each one's target, and which targets exist already.

An existing file stays. A file that was made from something else, or in another way, is reported before anything is
done, and never overwritten.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from stages.common.errors import UserError, counted, quoted
from stages.common.files import fingerprint_of
from stages.common.marks import MODEL_DIGITS, Mark, made_in
from stages.sources.folder import Folder
from stages.sources.limits import is_image
from stages.sources.names import of_system
from stages.sources.tree import Entry
from stages.translating.carriers import MAX_PIXELS, Carrier, Pictures

_NAMED = 3


@dataclass(frozen=True)
class Job:
    """A file to translate."""

    entry: Entry
    target: Path
    beside: tuple[Callable[[], bytes], ...] = ()
    """Reads its other files: its maps, its mask, or the frames after its first."""
    in_parts: bool = False
    """Whether a folder beside the target has parts of the result."""

    def contents(self) -> list[bytes]:
        """The contents of all its files. Raises OSError."""
        return [self.entry.content(), *(content() for content in self.beside)]

    @property
    def folder(self) -> Path:
        """The folder of its parts."""
        return self.target.with_suffix("")

    def written(self) -> list[Path]:
        """Its files that exist already."""
        parts = sorted(self.folder.glob("*.png")) if self.in_parts else []
        return [path for path in (self.target, *parts) if path.is_file()]


@dataclass(frozen=True)
class Maker:
    """The model and settings that make results from files."""

    mark: Mark
    settings: dict[str, Any]
    """All that decides results, beside the model and the files."""

    def digest(self, contents: list[bytes]) -> str:
        """A digest that is equal if the result would be equal."""
        files = [sha256(content).hexdigest() for content in contents]
        return fingerprint_of({"model": self.mark.model, "files": files, **self.settings})[:MODEL_DIGITS]


def require_there(places: list[str], option: str = "") -> None:
    """Raise UserError if a place is neither a file nor a folder."""
    if missing := [place for place in places if not Path(place).exists()]:
        named = f"one with {option}" if option else "what is there"
        raise UserError("source-missing", f"{missing[0]!r} is neither a file nor a folder: name {named}")


def jobs(inputs: list[str], out: Path, carrier: type[Carrier] | Carrier = Pictures, one: str = "picture") -> list[Job]:
    """A job for each file of the inputs; `one` is the word for a file.

    Raises UserError if there are none, or two have the same target.
    """
    found: dict[Path, Job] = {}
    for given in map(Path, inputs):
        for name, (entry, *others) in carrier.gathered(list(_entries(given, carrier.known_by)), given):
            target = out / Path(name).with_suffix(carrier.suffix)
            if target in found:
                raise UserError(
                    "outputs-clash",
                    f"{quoted(found[target].entry.name)} and {quoted(entry.name)} would both be written to {target}: "
                    "rename one of them, or translate them into folders apart",
                )
            found[target] = Job(entry, target, tuple(other.content for other in others), carrier.in_parts)
    if not found:
        raise UserError(
            "source-without-images", f"there is no {one} in {', '.join(inputs)}: name {one}s or a folder of some"
        )
    return list(found.values())


def _entries(given: Path, known_by: tuple[str, ...]) -> Iterator[Entry]:
    if given.is_dir():
        for entry in Folder(given, MAX_PIXELS).entries():
            taken = entry.kind == "file" and is_image(entry.name, known_by)
            if taken and not any(map(of_system, entry.name.split("/"))):
                yield entry
    else:
        yield Entry(given.name, "file", given.read_bytes, str)


def waiting_of(found: list[Job], maker: Maker, out: Path, one: str = "picture") -> list[Job]:
    """The jobs that are still to be done.

    Raises UserError if existing files were made from other contents, or in another way.
    """
    if others := [job for job in found if _made_otherwise(job, maker)]:
        it = "it" if len(others) == 1 else "them"
        raise UserError(
            "outputs-made-otherwise",
            f"{out} holds {counted(len(others), one)} made of another file, by another model or with other settings, "
            f"such as {others[0].target}: name another folder with --out, or remove {it} from {out}",
        )
    return [job for job in found if not job.target.exists()]


def _made_otherwise(job: Job, maker: Maker) -> bool:
    """Whether an existing file has a digest of what it was made from, and it differs."""
    known = {made for path in job.written() if (made := made_in(path.read_bytes())) is not None}
    with suppress(OSError):  # an unreadable file is reported when it is translated
        return bool(known) and known != {maker.digest(job.contents())}
    return False


def say_broken(found: list[Job], waiting: list[Job], broken: list[str], out: Path, one: str = "picture") -> None:
    """Print how many existed already. Raises UserError, after all work, if some files could not be read."""
    if there := len(found) - len(waiting):
        were, them = ("it was", "it") if there == 1 else ("they were", "them")
        print(f"left {counted(there, one)} as {were}: remove {them} from {out} to make {them} again")
    if broken:
        some = ", ".join(broken[:_NAMED]) + ", ..." * (len(broken) > _NAMED)
        raise UserError("pictures-broken", f"{counted(len(broken), one)} cannot be read: {some}")
