"""`load`: the generator of a release, checked against its manifest, from a folder or an S3 store.

It needs torch and safetensors; an `s3://` address also needs boto3, with credentials, region and endpoint. Nothing of a
release is run: weights are safetensors, the rest is JSON. README, Sharing, explains addresses.
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from safetensors import SafetensorError
from safetensors.torch import load as tensors

from mintage.checkpoint import write_whole
from mintage.players import Generator, build_generator

_CONFIG, _WEIGHTS, _MANIFEST = "config.json", "generator.safetensors", "manifest.json"
_DIGITS = 20
"""How many digits of a release's id are the name of its folder."""


class ReleaseError(Exception):
    """A release that cannot be loaded: one sentence that says what is wrong, and what to do."""


class NotHeldError(ReleaseError):
    """A file that was asked for is not among those of the release."""


Read = Callable[[str], bytes]
"""From a key below the store's address to its content; raises FileNotFoundError if there is none."""


def load(address: str | Path, cache: str | Path | None = None) -> Generator:
    """The generator of a release, on the CPU, ready to sample (evaluation mode).

    `address` is a channel or a release, in a store or fetched: `s3://bucket/prefix/channels/production`,
    `s3://bucket/prefix/releases/0290c02f6c529b790a68`, `file:` or a plain path to the same. Files are kept by their
    SHA-256 in `cache` (else $MINTAGE_CACHE, else ~/.cache/mintage), so that they are transferred once; all are
    checked each time. A cache that cannot be written is ignored. Raises ReleaseError if something is missing, damaged
    or does not match its name.
    """
    config, weights = read(address, (_CONFIG, _WEIGHTS), cache)
    try:
        return build_generator(json.loads(config), tensors(weights))
    except (ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise ReleaseError(f"{address} cannot be loaded ({error}): train its model again and publish that") from None


def read(address: str | Path, names: Sequence[str], cache: str | Path | None = None) -> list[bytes]:
    """The contents of a release's files `names`; address, cache and errors as in `load`.

    Raises NotHeldError if the release has no file of such a name.
    """
    with _opened(address) as (content, folder, manifest):
        kept = Path(cache or os.environ.get("MINTAGE_CACHE") or _home() / ".cache/mintage")
        listed = {file["path"]: file["sha256"] for file in manifest["files"]}
        if absent := [name for name in names if name not in listed]:
            raise NotHeldError(f"{address} has no {absent[0]}: publish the release again")
        return [_file(content, f"{folder}{name}", listed[name], kept) for name in names]


def identify(address: str | Path) -> str:
    """The id of a release, 64 hexadecimal digits computed from its content; address and errors as in `load`."""
    with _opened(address) as (_, _, manifest):
        return str(manifest["id"])


@contextmanager
def _opened(address: str | Path) -> Iterator[tuple[Read, str, dict[str, Any]]]:
    """A reader of the store's files, the release's folder in it, and the checked manifest; errors as in `load`."""
    store, place = _split(str(address))
    content = _reader(store)
    try:
        folder, expected = _pointed(content, place)
        manifest = json.loads(content(f"{folder}{_MANIFEST}"))
        if _id(manifest["files"]) != manifest["id"] or not manifest["id"].startswith(expected):
            raise ReleaseError(f"{address}: its manifest is damaged or another's: `verify` it, or publish it again")
        yield content, folder, manifest
    except FileNotFoundError as error:
        such = f", which is named with its store (published/channels/{address})" if _is_bare(address) else ""
        raise ReleaseError(
            f"{address}: {error.args[0]} is not there: name the folder of a model, a release, or a channel{such}"
        ) from None
    except (ValueError, KeyError, TypeError):
        raise ReleaseError(
            f"{address}: its manifest or its channel cannot be read: `verify` it, or publish it again"
        ) from None


def _is_bare(address: str | Path) -> bool:
    """Whether the address is only a name, as of a channel, and no file or folder has that name."""
    return re.fullmatch(r"[a-z0-9][a-z0-9._-]*", str(address)) is not None and not Path(address).exists()


def _split(address: str) -> tuple[str, str]:
    """The store's address, and the place in it: `channels/NAME`, `releases/ID`, or "" for a fetched folder."""
    address = unquote(address.removeprefix("file://").removeprefix("file:")) if address[:5] == "file:" else address
    if "://" in address and not address.startswith("s3://"):
        raise ReleaseError(f"{address} is neither a folder nor in a bucket: fetch the release, and name its folder")
    if found := re.fullmatch(r"(?:(.*)/)?channels/((?:[^/]+/)?[^/]+)", address.rstrip("/")):
        return found[1] or ".", f"channels/{found[2].removesuffix('.json')}"
    if found := re.fullmatch(r"(?:(.*)/)?releases/([0-9a-f]{1,64})", address.rstrip("/")):
        if len(found[2]) < _DIGITS:
            raise ReleaseError(f"{address}: give {_DIGITS} digits of the release's id, or all 64")
        return found[1] or ".", f"releases/{found[2][:_DIGITS]}"
    if address.startswith("s3://"):
        raise ReleaseError(
            f"{address}: name a channel or a release: s3://BUCKET/PREFIX/channels/NAME or .../releases/ID"
        )
    return address, ""


def _pointed(read: Read, place: str) -> tuple[str, str]:
    """The release's folder, and how its manifest's id must begin."""
    if place.startswith("channels/"):
        pointer = json.loads(read(f"{place}.json"))
        return f"releases/{pointer['release']}/", pointer["id"]
    return (f"{place}/", place.rpartition("/")[2]) if place else ("", "")


def _id(files: list[dict[str, Any]]) -> str:
    return hashlib.sha256(json.dumps(files, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _file(read: Read, key: str, sha256: str, cache: Path) -> bytes:
    """A file's content, from the cache if the cached file is whole."""
    kept = cache / sha256
    with suppress(OSError):  # another user's cache, which cannot be read
        if kept.is_file() and hashlib.sha256(content := kept.read_bytes()).hexdigest() == sha256:
            return content
    content = read(key)
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ReleaseError(f"{key} is damaged: its SHA-256 is not the one in the manifest")
    with suppress(OSError):  # a read-only or full disk
        cache.mkdir(parents=True, exist_ok=True)
        write_whole(kept, content)
    return content


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a user without a name, as in a container
        return Path(tempfile.gettempdir()) / f"mintage-{os.getuid()}"


def _reader(store: str) -> Read:
    return _from_bucket(store) if store.startswith("s3://") else _from_folder(Path(store).expanduser())


def _from_folder(folder: Path) -> Read:
    def read(key: str) -> bytes:
        try:
            return (folder / key).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise FileNotFoundError(str(folder / key)) from None

    return read


def _from_bucket(store: str) -> Read:
    bucket, _, prefix = store.removeprefix("s3://").partition("/")
    try:  # imported only here: everything else works without boto3
        boto3, exceptions = import_module("boto3"), import_module("botocore.exceptions")
    except ModuleNotFoundError:
        raise ReleaseError(
            f"{store} needs boto3: `pip install boto3`, or fetch the release and load the folder"
        ) from None
    # Files are checked against the manifest; boto3's newer checksums fail with stores other than AWS.
    config = import_module("botocore.config").Config(response_checksum_validation="when_required")
    client = boto3.session.Session().client("s3", config=config)

    def read(key: str) -> bytes:
        content = BytesIO()
        try:
            client.download_fileobj(bucket, f"{prefix}/{key}".lstrip("/"), content)
        except (exceptions.ClientError, exceptions.BotoCoreError, boto3.exceptions.Boto3Error) as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code", type(error).__name__)
            if code in ("404", "NoSuchKey"):
                raise FileNotFoundError(f"{store}/{key}") from None
            # Not the error itself: it can contain a reply or a URL with a key.
            raise ReleaseError(f"{store} cannot be read ({code}): check address, credentials and network") from None
        return content.getvalue()

    return read
