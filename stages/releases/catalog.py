"""The content of a store: list, find, delete, and the removal of leftovers."""

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mintage.nearest import like
from stages.common.errors import UserError
from stages.releases.card import CARD
from stages.releases.channels import Channel, names, pointing_to, read_channel
from stages.releases.content import DIGITS
from stages.releases.manifest import Release, release_in
from stages.stores import MANIFEST, Entry, Store

_ELSEWHERE = "move it elsewhere first (`promote`, `rollback`), or say --force"


@dataclass(frozen=True)
class Summary:
    """A release in a list."""

    release: str
    published: float
    """When its manifest arrived: seconds since 1970, by the store's clock."""
    files: int
    size: int
    channels: list[str]
    card: int
    """Bytes of its model card; 0 without one."""


def listed(store: Store, channels: Iterable[Channel]) -> list[Summary]:
    """The visible releases, the newest first, with those of `channels` that point to them."""
    pointed = {channel.name: channel.release for channel in channels}
    found = [
        Summary(
            release=name,
            published=entries[MANIFEST].modified,
            files=len(entries) - 1,
            size=sum(entry.size for path, entry in entries.items() if path != MANIFEST),
            channels=[channel for channel, release in pointed.items() if release == name],
            card=entries[CARD].size if CARD in entries else 0,
        )
        for name, entries in _folders(store).items()
        if MANIFEST in entries
    ]
    return sorted(found, key=lambda summary: -summary.published)


def find(store: Store, reference: str) -> Release:
    """The release of a channel, an id or the beginning of an id, of four digits or more."""
    if reference in names(store):
        return release_in(store, str(read_channel(store, reference).release))
    if re.fullmatch(r"[0-9a-f]{4,64}", reference):
        wanted = reference[:DIGITS]
        found = [name for name, entries in _folders(store).items() if name.startswith(wanted) and MANIFEST in entries]
        if len(found) == 1:
            return release_in(store, found[0])
        if found:
            raise UserError(
                "release-ambiguous", f"{reference} is the beginning of {len(found)} releases: give more digits"
            )
    close = like(reference, names(store))
    meant = f"did you mean {close!r}? " if close else ""
    short = " (of an id give 4 digits or more)" if re.fullmatch(r"[0-9a-f]{1,3}", reference) else ""
    raise UserError(
        "release-unknown",
        f"{store.url} has no channel or release {reference!r}{short}: {meant}`list` names those that are there",
    )


def require_unused(store: Store, release: Release) -> None:
    """Raise UserError if a channel points to the release."""
    if pointing := pointing_to(store, release.name):
        raise UserError("release-in-use", f"{release.name} is in use by channel {', '.join(pointing)}: {_ELSEWHERE}")


def delete(store: Store, release: Release, force: bool) -> list[str]:
    """Remove a release; returns the channels that now point to nothing, which is refused without `force`."""
    if not force:
        require_unused(store, release)
    manifest = f"{release.folder}/{MANIFEST}"
    content = store.read(manifest)
    store.remove([manifest])  # from now on the release is gone for all readers
    # `promote` moves the channel before it checks the manifest, so one of the two sees the other.
    if (pointing := pointing_to(store, release.name)) and not force:
        if content is not None:
            store.write(manifest, content)
        raise UserError("release-in-use", f"channel {pointing[0]} was moved to {release.name} meanwhile: {_ELSEWHERE}")
    store.remove(sorted(store.entries(f"{release.folder}/")))
    return pointing


def leftovers(store: Store, hours: float) -> Iterator[tuple[str, list[str]]]:
    """Leftovers of killed or broken uploads that are older than `hours`: a name for people, and the keys.

    The keys are empty for leftovers that `Store.abandon` removes.
    """
    before = time.time() - hours * 3600
    for name, last in store.unfinished().items():
        if last < before:
            yield name, []
    for release, entries in _folders(store).items():
        if MANIFEST not in entries and _newest(entries) < before:
            yield f"releases/{release}", [f"releases/{release}/{path}" for path in entries]
    for key, entry in store.entries("channels/").items():
        if re.search(r"/\.probe-|\.claims/", key) and entry.modified < before:
            yield key, [key]


def remove_leftover(store: Store, name: str, keys: list[str], hours: float) -> None:
    """Remove one of `leftovers`, unless its upload has been resumed since."""
    now = store.entries(f"{name}/") if name.startswith("releases/") and keys else {}
    if f"{name}/{MANIFEST}" in now or (now and _newest(now) >= time.time() - hours * 3600):
        return
    store.remove(keys) if keys else store.abandon(name)


def _newest(entries: dict[str, Entry]) -> float:
    return max(entry.modified for entry in entries.values())


def _folders(store: Store) -> dict[str, dict[str, Entry]]:
    """The entries below `releases/`, by release and path; files beside releases, such as a note, are left out."""
    found: dict[str, dict[str, Entry]] = {}
    for key, entry in store.entries("releases/").items():
        _, release, *path = key.split("/", 2)
        if path:
            found.setdefault(release, {})[path[0]] = entry
    return found
