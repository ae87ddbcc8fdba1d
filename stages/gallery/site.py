"""Builds the site: only what has changed is read and written, what is gone is removed, each file is whole at any time.

Releases are written first, then the pages that name them, then the index; removals come last. So a build that is killed
leaves the site as it was, or one in which no page is missing.
"""

import fcntl
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from mintage.spelling import american
from stages import media
from stages.common.errors import TemporaryError, UserError
from stages.common.files import fingerprint_of, write_bytes, write_text
from stages.common.identity import code_behind
from stages.common.nested import flat
from stages.common.stage import progress_bar
from stages.examples import FOLDER as OF_EXAMPLES
from stages.examples import Example
from stages.gallery import pages, runtime
from stages.gallery.entry import Entry
from stages.gallery.explorer import Explorer
from stages.gallery.reading import Contents, cut, read_release, refused
from stages.releases.catalog import Summary, listed
from stages.releases.channels import Channel, read_all
from stages.releases.content import DIGITS
from stages.releases.manifest import release_in
from stages.stores import MANIFEST, Store

_RELEASE = rf"[0-9a-f]{{{DIGITS}}}"
_MARK = ".gallery"
"""The file that marks a folder as a gallery, from which a build may remove files."""
_CHOICES = ("colors", "crop_position", "partner")
"""Params whose value is a word that older versions spelled otherwise."""


@dataclass
class Built:
    releases: int = 0
    channels: int = 0
    written: int = 0
    removed: int = 0
    left_out: list[str] = field(default_factory=list)
    """A sentence for each release and channel that cannot be read."""
    unexplored: UserError | None = None
    """Why pages that could have an explorer have none."""


@dataclass(frozen=True)
class Explorers:
    """Whether pages get explorers, and where the runtime comes from."""

    wanted: bool = True
    archive: Path | None = None
    """The archive of the runtime; None: npm brings it."""


def build(
    store: Store,
    folder: Path,
    examples: Sequence[Example],
    title: str = "Gallery",
    explorers: Explorers = Explorers(),
) -> Built:
    """Make the site of `store` in `folder`, or bring it up to date.

    Raises UserError if the folder holds something else, or the store itself cannot be read.
    """
    with _locked(folder):
        return _Site(store, folder, title, {example.name: example for example in examples}, explorers).build()


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Allow one build at a time, in a folder that is a gallery or empty."""
    if folder.exists() and not (folder / _MARK).exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(
            "gallery-folder-taken", f"{folder} is there and is no gallery: name an empty or a new folder with --out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / _MARK, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TemporaryError(
                "gallery-busy", f"another build is at work in {folder}: run again when it has ended"
            ) from None
        yield


@dataclass(frozen=True)
class _Site:
    store: Store
    folder: Path
    title: str
    examples: dict[str, Example]
    """By name, in the order of the museum."""
    explorers: Explorers
    built: Built = field(default_factory=Built)

    def build(self) -> Built:
        if self.explorers.archive is not None:
            runtime.bring(self.folder, self.explorers.archive)
        known, problems = read_all(self.store)
        self.built.left_out.extend(problems)
        channels = [channel for channel in known if channel.history]
        self._write_channels([channel for channel in channels if not self._page_of(channel).exists()], {})
        entries = list(self._entries(channels))
        self._write_lists(entries, channels)
        self.built.removed = self._remove_others({entry.release for entry in entries}, channels)
        self._remove_scripts(entries)
        self.built.releases, self.built.channels = len(entries), len(channels)
        return self.built

    def _entries(self, channels: Sequence[Channel]) -> Iterator[Entry]:
        """An entry for each release that can be shown, once its page is written; one release at a time is in memory."""
        published = {
            str(step["release"]): example
            for channel in channels
            if (example := self._example_of(channel))
            for step in channel.history
        }
        modules = [code_behind(f"stages.gallery.{name}") for name in ("pages", "reading")]
        scripts = [script.read_text() for script in sorted(Path(media.__file__).parent.glob("*.js"))]
        code = fingerprint_of([*modules, scripts])
        summaries = listed(self.store, channels)
        with progress_bar("gallery", len(summaries), unit="release") as bar:
            for summary in summaries:
                try:
                    yield self._entry(summary, published.get(summary.release), code)
                except UserError as error:
                    if isinstance(error, TemporaryError):
                        raise
                    self._leave_out(summary.release, error)
                bar.update(1)

    def _entry(self, summary: Summary, example: Example | None, code: str) -> Entry:
        """The entry that is there, if nothing that its page depends on has changed; else a new one, with its page."""
        if not re.fullmatch(_RELEASE, summary.release):
            raise refused("this is no name of a release")
        of_store = (self.store.url, self.title, summary.release, summary.channels)
        key = fingerprint_of([code, of_store, example and example.text])
        place = self.folder / "releases" / summary.release
        if (kept := _kept(place)) and kept.key == key and kept.explored == (kept.explorable and self._explores):
            return kept
        contents = read_release(release_in(self.store, summary.release))
        explorer = contents.explorer if isinstance(contents.explorer, Explorer) and self._explores else None
        entry = _entry_of(summary, contents, example, key, explored=explorer is not None)
        write_bytes(place / "samples.png", contents.picture.png)
        if explorer is not None:
            write_text(place / pages.EXPLORER, explorer.script())
        write_text(place / "index.html", pages.release_page(self.title, entry, contents, example, self.store.url))
        if explorer is None:
            (place / pages.EXPLORER).unlink(missing_ok=True)
        write_text(place / "entry.json", entry.model_dump_json())  # last: without it both are made again
        self.built.written += 1
        return entry

    @cached_property
    def _explores(self) -> bool:
        """Whether pages get explorers; what these share is then written before the first page."""
        if not self.explorers.wanted:
            return False
        try:
            runtime.bring(self.folder)
        except UserError as error:
            self.built.unexplored = error
            return False
        self._refresh(self.folder / pages.EXPLORERS, pages.explorers_script())
        return True

    def _leave_out(self, release: str, error: UserError) -> None:
        """Name a release that is damaged, but not one that was deleted meanwhile."""
        if self.store.read(f"releases/{release}/{MANIFEST}") is not None:
            self.built.left_out.append(f"release {cut(release)}: {error}")

    def _example_of(self, channel: Channel) -> Example | None:
        if not channel.name.startswith(OF_EXAMPLES):
            return None
        return self.examples.get(channel.name.removeprefix(OF_EXAMPLES))

    def _write_channels(self, channels: Sequence[Channel], by_release: dict[str, Entry]) -> None:
        """Write the channels' pages; those that are new also before the releases, whose pages link to them."""
        for channel in channels:
            self._refresh(self._page_of(channel), pages.channel_page(self.title, channel, by_release))

    def _page_of(self, channel: Channel) -> Path:
        return self.folder / "channels" / pages.channel_file(channel.name)

    def _write_lists(self, entries: Sequence[Entry], channels: Sequence[Channel]) -> None:
        by_release = {entry.release: entry for entry in entries}
        self._refresh(self.folder / "style.css", pages.style())
        self._write_channels(channels, by_release)
        self._refresh(self.folder / "compare.html", pages.compare_page(self.title, entries))
        museum, has_examples = self.folder / "museum.html", any(entry.example for entry in entries)
        if has_examples:
            shown = {
                example.name: by_release[channel.release]
                for channel in channels
                if (example := self._example_of(channel)) and channel.release in by_release
            }
            self._refresh(museum, pages.museum_page(self.title, list(self.examples.values()), shown))
        self._refresh(self.folder / "index.html", pages.index_page(self.title, entries, channels, self.built.left_out))
        if not has_examples:
            museum.unlink(missing_ok=True)

    def _refresh(self, path: Path, text: str) -> None:
        """Write a file, unless it has this content."""
        if not path.is_file() or path.read_bytes() != text.encode():
            write_text(path, text)

    def _remove_others(self, releases: set[str], channels: Sequence[Channel]) -> int:
        """Remove the pages of releases and channels that are no longer shown; how many releases these were."""
        pages_there = {self._page_of(channel) for channel in channels}
        for path in set((self.folder / "channels").glob("*.html")) - pages_there:
            path.unlink()
        there = [path for path in (self.folder / "releases").glob("*") if re.fullmatch(_RELEASE, path.name)]
        gone = [path for path in there if path.name not in releases]
        for path in gone:
            shutil.rmtree(path)
        return len(gone)

    def _remove_scripts(self, entries: Sequence[Entry]) -> None:
        """Remove what explorers share if no page has one any more, and other versions of the runtime."""
        explored = any(entry.explored for entry in entries)
        wanted = {runtime.SCRIPT, runtime.LICENSE, pages.EXPLORERS} if explored else set()
        for path in (self.folder / pages.EXPLORERS).parent.glob("*"):
            if path.relative_to(self.folder).as_posix() not in wanted:
                path.unlink()


def _kept(place: Path) -> Entry | None:
    """The entry that an earlier build left there; None if a file of its page is missing."""
    try:
        entry = Entry.model_validate_json((place / "entry.json").read_bytes())
    except (OSError, ValidationError):
        return None
    needed = ["index.html", "samples.png", *([pages.EXPLORER] if entry.explored else [])]
    return entry if all((place / name).is_file() for name in needed) else None


def _entry_of(summary: Summary, contents: Contents, example: Example | None, key: str, *, explored: bool) -> Entry:
    selection, train = contents.selection, contents.train
    verdict = selection.verdict
    return Entry(
        release=summary.release,
        key=key,
        published=summary.published,
        channels=summary.channels,
        example=example.name if example else None,
        data=contents.data,
        license=contents.license,
        family=cut((train and train.family) or "unnamed family"),
        classes=len(contents.classes),
        images=selection.images,
        level=verdict.level if verdict else "unknown",
        verdict=contents.words.said(verdict.text) if verdict else "",
        figures=pages.figures_of(selection, contents.words),
        width=contents.picture.width,
        height=contents.picture.height,
        explorable=isinstance(contents.explorer, Explorer),
        explored=explored,
        params=_params({made.stage: made.params for made in contents.made} | {"recipe": train.recipe if train else {}}),
    )


def _params(values: dict[str, Any]) -> dict[str, str]:
    """Params by their dotted names, each as JSON on a line; those of older releases in American spelling."""
    found: dict[str, str] = {}
    for key, value in flat(values).items():
        *_, name = path = [american(part) for part in key.split(".")]
        shown = american(value) if name in _CHOICES else value  # what else users wrote stays
        found[cut(".".join(path))] = cut(json.dumps(shown, ensure_ascii=False))
    return found
