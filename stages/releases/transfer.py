"""Verify and fetch: every byte of a release against the manifest from which its name follows."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from stages.common.errors import UserError
from stages.common.files import sha256_of, sync, sync_entry, write_bytes
from stages.common.progress import progress_bar
from stages.releases.content import as_json
from stages.releases.manifest import Listed, Manifest, Release
from stages.stores import MANIFEST
from stages.stores.parallel import each


def verify(release: Release) -> tuple[Manifest, list[str]]:
    """The manifest, and a sentence for each file that is missing, damaged or not listed."""
    manifest = release.manifest()
    there = {key.removeprefix(f"{release.folder}/") for key in release.store.entries(f"{release.folder}/")}
    problems = []
    with progress_bar("verify", sum(file.size for file in manifest.files), unit="B") as bar:
        present = [file for file in manifest.files if file.path in there]
        for file, digest in each(lambda file: _digest(release, file, bar.update), present):
            if digest != file.sha256:
                problems.append(f"{file.path} is damaged: its SHA-256 is not the one in the manifest")
    listed = {file.path for file in manifest.files}
    problems += [f"{path} is missing" for path in sorted(listed - there)]
    problems += [f"{path} is not in the manifest" for path in sorted(there - listed - {MANIFEST})]
    return manifest, problems


def fetch(release: Release, target: Path) -> Manifest:
    """Bring a release into the folder `target`, there whole or not at all; files that arrived before are kept.

    Raises UserError where a file does not have the hash that the manifest says, or `target` holds something else.
    """
    manifest = release.manifest()
    if target.exists():
        _require_same(target, manifest)
        return manifest
    partial = target.with_name(f".{target.name}.{manifest.id[:20]}.partial")
    missing = [file for file in manifest.files if not _arrived(partial / file.path, file)]
    with progress_bar("fetch", sum(file.size for file in missing), unit="B") as bar:
        for _ in each(lambda file: _bring(release, file, partial / file.path, bar.update), missing):
            pass
    write_bytes(partial / MANIFEST, as_json(manifest.model_dump()))
    sync(partial)
    partial.rename(target)
    sync_entry(target.parent)
    return manifest


def _digest(release: Release, file: Listed, progress: Callable[[int], object]) -> str:
    digest = hashlib.sha256()
    for chunk in release.store.chunks(f"{release.folder}/{file.path}"):
        digest.update(chunk)
        progress(len(chunk))
    return digest.hexdigest()


def _bring(release: Release, file: Listed, target: Path, progress: Callable[[int], object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    release.store.fetch(f"{release.folder}/{file.path}", file.size, target, progress)
    if not _arrived(target, file):
        target.unlink()
        raise UserError(f"{release.store.url}/{release.folder}/{file.path} is damaged: publish the release again")


def _arrived(path: Path, file: Listed) -> bool:
    return path.is_file() and path.stat().st_size == file.size and sha256_of(path) == file.sha256


def _require_same(target: Path, manifest: Manifest) -> None:
    wrong = [file.path for file in manifest.files if not _arrived(target / file.path, file)]
    if wrong:
        raise UserError(f"{target} is there and is not this release ({wrong[0]} differs): name another folder")
