"""Verify and fetch: every byte of a release is checked against its manifest, from which its name follows."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from stages.common.errors import UserError
from stages.common.files import is_whole, write_at
from stages.common.stage import progress_bar
from stages.releases.manifest import Listed, Manifest, Release
from stages.stores import MANIFEST, PART, Keep
from stages.stores.parallel import each

Result = TypeVar("Result")


def verify(release: Release) -> tuple[Manifest, list[str]]:
    """The manifest, and a sentence for each file that is missing, damaged or not listed."""
    manifest = release.manifest()
    found = release.store.entries(f"{release.folder}/")
    there = {key.removeprefix(f"{release.folder}/"): entry.size for key, entry in found.items()}
    problems = []
    with progress_bar("verify", sum(file.size for file in manifest.files), unit="B") as bar:
        present = [file for file in manifest.files if file.path in there]
        for file, digest in _in_turn(lambda file: _digest(release, file, bar.update), present):
            if (there[file.path], digest) != (file.size, file.sha256):
                problems.append(f"{file.path} is damaged: its size or SHA-256 is not the one in the manifest")
    listed = {file.path for file in manifest.files}
    problems += [f"{path} is missing" for path in sorted(listed - set(there))]
    problems += [f"{path} is not in the manifest" for path in sorted(set(there) - listed - {MANIFEST})]
    return manifest, problems


def fetch(release: Release, target: Path) -> Manifest:
    """Fetch a release into the folder `target`, whole or not at all; files of an interrupted fetch are kept.

    Raises UserError if a file does not have the manifest's hash, or `target` has something else.
    """
    manifest = release.manifest()
    if target.exists():
        _require_same(target, manifest)
        return manifest
    partial = target.with_name(f".{target.name}.{manifest.id[:20]}.partial")
    try:
        partial.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            "folder-unwritable", f"{target} cannot be written to ({error.strerror}): name another folder"
        ) from None
    missing = [file for file in manifest.files if not is_whole(partial / file.path, file.size, file.sha256)]
    with progress_bar("fetch", sum(file.size for file in missing), unit="B") as bar:
        for _ in _in_turn(lambda file: _bring(release, file, partial / file.path, bar.update), missing):
            pass
    # Not synced, which takes longer than the transfer: `verify` finds what a power cut damages.
    (partial / MANIFEST).write_bytes(manifest.as_published())
    partial.rename(target)
    return manifest


def _in_turn(function: Callable[[Listed], Result], files: list[Listed]) -> Iterator[tuple[Listed, Result]]:
    """Small files several at a time; large ones one by one, since a store transfers several parts of one at a time."""
    yield from each(function, [file for file in files if file.size <= PART])
    yield from ((file, function(file)) for file in files if file.size > PART)


def _digest(
    release: Release, file: Listed, progress: Callable[[int], object], keep: Keep = lambda offset, chunk: None
) -> str:
    """The SHA-256 of a file's bytes from the store; `keep` as in `Store.chunks`."""
    digest = hashlib.sha256()
    for chunk in release.store.chunks(f"{release.folder}/{file.path}", file.size, keep):
        digest.update(chunk)
        progress(len(chunk))
    return digest.hexdigest()


def _bring(release: Release, file: Listed, path: Path, progress: Callable[[int], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "wb") as target:
        digest = _digest(release, file, progress, lambda offset, chunk: write_at(target.fileno(), offset, chunk))
    if digest != file.sha256:
        path.unlink()
        raise UserError(
            "release-damaged", f"{release.store.url}/{release.folder}/{file.path} is damaged: publish the release again"
        )


def _require_same(target: Path, manifest: Manifest) -> None:
    wrong = [file.path for file in manifest.files if not is_whole(target / file.path, file.size, file.sha256)]
    if wrong:
        raise UserError(
            "target-differs", f"{target} is there and is not this release ({wrong[0]} differs): name another folder"
        )
