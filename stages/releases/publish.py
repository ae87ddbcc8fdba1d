"""Publish: send the files of a release that the store lacks, then point a channel to it."""

from typing import Any

from stages.common.errors import TemporaryError
from stages.common.stage import progress_bar
from stages.releases.channels import LATEST, key_of, point_latest
from stages.releases.content import DIGITS, identify
from stages.stores import MANIFEST, File, Store


def publish(store: Store, files: list[File], channel: str = LATEST) -> tuple[dict[str, Any], list[File]]:
    """Publish a release; returns the receipt, and the files that were sent."""
    pointer = key_of(channel)
    content_id, manifest = identify(files)
    release = content_id[:DIGITS]
    folder = f"releases/{release}"
    missing = store.missing(folder, [*files, manifest])
    if missing:
        with progress_bar("upload", sum(file.size for file in missing), unit="B") as bar:
            store.add(folder, missing, bar.update)
        require_whole(store, folder, files)
    point_latest(store, channel, content_id)
    receipt = {"release": release, "url": f"{store.url}/{folder}", channel: f"{store.url}/{pointer}"}
    sent = [file for file in missing if file.path != MANIFEST]
    return {**receipt, "files": len(files), "bytes": sum(file.size for file in files)}, sent


def require_whole(store: Store, folder: str, files: list[File]) -> None:
    """Remove the manifest again if a file is gone: `gc` may have taken an upload of many days for a leftover."""
    there = store.entries(f"{folder}/")
    if any(f"{folder}/{file.path}" not in there for file in files):
        store.remove([f"{folder}/{MANIFEST}"])
        raise TemporaryError(
            "release-removed-meanwhile",
            f"files of {store.url}/{folder} were removed while it was being published: run again",
        )


def summary_of(receipt: dict[str, Any], sent: list[File]) -> str:
    """What was published, for people."""
    size = sum(file.size for file in sent)
    return "\n".join(
        [
            f"release {receipt['release']}: {receipt['files']} files, {receipt['bytes'] / 1e6:.1f} MB",
            f"sent {len(sent)} of them, {size / 1e6:.1f} MB" if sent else "nothing to send",
            receipt["url"],
        ]
    )
