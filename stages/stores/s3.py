"""Releases in an S3 bucket, by boto3: credentials, region and endpoint by its standard chain."""

import base64
import hashlib
import mimetypes
import re
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from stages.common.errors import TemporaryError, UserError
from stages.common.mapping import ahead
from stages.common.s3 import bucket_and_prefix, connect
from stages.common.s3_errors import BROKEN_CONNECTION, UPLOAD, sentences
from stages.stores import CHUNK, IN_PARAMS, MANIFEST, PART, Entry, File, Keep, s3_swap
from stages.stores.parallel import WORKERS, each

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

MAX_PARTS = 10_000  # S3's limit
MOST_OF_A_PART = 3 * PART  # if possible: each worker has a part in memory, and an interruption costs a part
TRIES = 4
"""How often a read that breaks off is tried."""


class S3Store:
    """A bucket as a store. Files are sent several at a time, the manifest last, so a release with it is whole."""

    def __init__(self, url: str, setting: str = IN_PARAMS) -> None:
        """`url` is `s3://BUCKET` or `s3://BUCKET/PREFIX`."""
        self._use = replace(UPLOAD, setting=setting)
        self.bucket, prefix = bucket_and_prefix(url, setting)
        self.url = f"s3://{self.bucket}/{prefix}".rstrip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._client, self._place = connect(self.bucket, WORKERS, self._use)

    def missing(self, folder: str, files: list[File]) -> list[File]:
        """The files that the bucket lacks, or has with another size or SHA-256 (metadata of each object)."""
        with self._sentences():
            there = self.entries(f"{folder}/")
            listed = [file for file in files if _has_size(there.get(f"{folder}/{file.path}"), file.size)]
            arrived = {
                file.path
                for file, whole in each(lambda file: self._arrived(f"{folder}/{file.path}", file), listed)
                if whole
            }
        return [file for file in files if file.path not in arrived]

    def add(self, folder: str, files: list[File], progress: Callable[[int], object]) -> None:
        first, last = [f for f in files if f.path != MANIFEST], [f for f in files if f.path == MANIFEST]
        small, large = [f for f in first if f.size <= PART], [f for f in first if f.size > PART]
        with self._sentences():
            for file, _ in each(lambda file: self._put(f"{folder}/{file.path}", file), small):
                progress(file.size)
            for file in large:
                self._put_in_parts(f"{folder}/{file.path}", file, progress)
            for file in last:
                self._put(f"{folder}/{file.path}", file)
                progress(file.size)

    def entries(self, folder: str) -> dict[str, Entry]:
        with self._sentences():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self._prefix + folder
            )
            objects = [item for page in pages for item in page.get("Contents", [])]
            found = [item for item in objects if not item["Key"].endswith("/")]  # a console's marker of an empty folder
        return {
            item["Key"].removeprefix(self._prefix): Entry(item["Size"], item["LastModified"].timestamp())
            for item in found
        }

    def require_there(self) -> None:
        """Raise UserError for a prefix without keys; a missing bucket is reported by any request."""
        if not self.entries(""):
            raise UserError("store-missing", f"{self.url} holds nothing: name another store, or publish there first")

    def read(self, key: str) -> bytes | None:
        with self._sentences():
            return s3_swap.read(self._client, self._target(key))[0]

    def chunks(self, key: str, size: int, keep: Keep = lambda offset, chunk: None) -> Iterator[bytes]:
        def part(start: int) -> list[bytes]:
            asked = {"Range": f"bytes={start}-{start + PART - 1}"} if size > PART else {}
            return self._pieces({**self._target(key), **asked}, lambda offset, chunk: keep(start + offset, chunk))

        with self._sentences():
            for pieces in ahead(part, range(0, size, PART), WORKERS) if size > PART else [part(0)]:
                yield from pieces

    def _pieces(self, asked: dict[str, Any], keep: Keep, tries: int = TRIES) -> list[bytes]:
        """All bytes of a request, with retries: boto3 retries a request, but not reading its body."""
        pieces, offset = list[bytes](), 0
        try:
            body = self._client.get_object(**asked)["Body"]
            while piece := body.read(CHUNK):
                keep(offset, piece)  # at once, while it is in the processor's cache
                pieces.append(piece)
                offset += len(piece)
            return pieces
        except BROKEN_CONNECTION:
            if tries == 1:
                raise
        time.sleep(2 ** (TRIES - tries) / 2)
        return self._pieces(asked, keep, tries - 1)

    def write(self, key: str, content: bytes) -> None:
        with self._sentences():
            self._put(key, File.from_source(key, content))

    def swap(self, key: str, old: bytes | None, new: bytes) -> bool:
        with self._sentences():
            if self._form is not None:
                return s3_swap.swap(self._client, self._target(key), old, new, self._form)
            with s3_swap.claimed(self._client, self.bucket, self._prefix + key):
                if self.read(key) != old:
                    return False
                self._put(key, File.from_source(key, new))
                return True

    @cached_property
    def _form(self) -> s3_swap.Form | None:
        return s3_swap.form_of(self._client, self.bucket, f"{self._prefix}channels/")

    def exclusion(self) -> str:
        with self._sentences():
            if self._form is not None:
                return "conditional writes, which this store honors"
        return "claims beside the channel, since this store does not honor conditional writes (README, Sharing)"

    def remove(self, keys: Iterable[str]) -> None:
        with self._sentences():
            for _ in each(lambda key: self._client.delete_object(**self._target(key)), keys):
                pass

    def unfinished(self) -> dict[str, float]:
        with self._sentences():
            pages = self._client.get_paginator("list_multipart_uploads").paginate(
                Bucket=self.bucket, Prefix=self._prefix
            )
            found = [upload for page in pages for upload in page.get("Uploads", [])]
            named = {f"{item['Key'].removeprefix(self._prefix)}?{item['UploadId']}": item for item in found}
            return {name: self._last_part(name, item["Initiated"].timestamp()) for name, item in named.items()}

    def _last_part(self, name: str, begun: float) -> float:
        key, _, upload = name.rpartition("?")
        pages = self._client.get_paginator("list_parts").paginate(**self._target(key), UploadId=upload)
        parts = [part["LastModified"].timestamp() for page in pages for part in page.get("Parts", [])]
        return max([begun, *parts])

    def abandon(self, name: str) -> None:
        key, _, upload = name.rpartition("?")
        with self._sentences(), suppress(self._client.exceptions.NoSuchUpload):
            self._client.abort_multipart_upload(**self._target(key), UploadId=upload)

    def _sentences(self) -> AbstractContextManager[None]:
        return sentences(self._place, self._use)

    def _put(self, key: str, file: File) -> None:
        """Send a file that fits in memory; the store refuses a body that was damaged on the way."""
        with file.open() as source:
            body = source.read()
        if hashlib.sha256(body).hexdigest() != file.sha256:
            raise file.changed()
        md5 = hashlib.md5(body, usedforsecurity=False).digest()
        reply = self._client.put_object(
            **self._target(key), **_facts(file), Body=body, ContentMD5=base64.b64encode(md5).decode()
        )
        _check_tag(reply, md5, key)

    def _put_in_parts(self, key: str, file: File, progress: Callable[[int], object]) -> None:
        """Send a large file, without the parts that an interrupted try left there."""
        part = _part_of(file.size)
        upload, tags = self._unfinished(key)
        if upload is None:
            upload = self._client.create_multipart_upload(**self._target(key), **_facts(file))["UploadId"]
        target = {**self._target(key), "UploadId": upload}

        def send(number: int) -> "CompletedPartTypeDef":
            with file.open() as source:
                source.seek((number - 1) * part)
                body = source.read(part)
            md5 = hashlib.md5(body, usedforsecurity=False).digest()
            tag = tags.get(number)
            if tag != md5.hex():
                reply = self._client.upload_part(
                    **target, PartNumber=number, Body=body, ContentMD5=base64.b64encode(md5).decode()
                )
                _check_tag(reply, md5, key)
                tag = reply["ETag"].strip('"')
            progress(len(body))
            return {"PartNumber": number, "ETag": f'"{tag}"'}

        parts = [sent for _, sent in each(send, range(1, -(-file.size // part) + 1))]
        file.require_unchanged()
        self._complete(target, parts, file)

    def _complete(self, target: dict[str, Any], parts: list["CompletedPartTypeDef"], file: File) -> None:
        # NoSuchUpload: an earlier try, whose answer was lost, has completed it. The check decides.
        with suppress(self._client.exceptions.NoSuchUpload):
            self._client.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
        if not self._arrived(target["Key"].removeprefix(self._prefix), file):
            raise UserError(
                "transfer-incomplete", f"s3://{self.bucket}/{target['Key']} did not arrive whole: run again"
            )

    def _unfinished(self, key: str) -> tuple[str | None, dict[int, str]]:
        """An interrupted upload to `key`, if any, and the tags (the MD5 in hex, on most stores) of its parts."""
        target = self._target(key)
        try:
            found = self._client.list_multipart_uploads(Bucket=self.bucket, Prefix=target["Key"]).get("Uploads", [])
            upload = next((u["UploadId"] for u in found if u["Key"] == target["Key"]), None)
            if upload is None:
                return None, {}
            pages = self._client.get_paginator("list_parts").paginate(**target, UploadId=upload)
            return upload, {p["PartNumber"]: p["ETag"].strip('"') for page in pages for p in page.get("Parts", [])}
        except ClientError:  # not every store or key may list these: then all parts are sent
            return None, {}

    def _arrived(self, key: str, file: File) -> bool:
        try:
            head = self._client.head_object(**self._target(key))
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
                return False
            raise
        return head["ContentLength"] == file.size and head["Metadata"].get("sha256") == file.sha256

    def _target(self, key: str) -> dict[str, Any]:
        return {"Bucket": self.bucket, "Key": self._prefix + key}


def _part_of(size: int) -> int:
    """Bytes of a part: fewer parts cost less, so there is one for each worker, but of at most MOST_OF_A_PART."""
    return max(PART, min(-(-size // WORKERS), MOST_OF_A_PART), -(-size // MAX_PARTS))


def _has_size(found: Entry | None, size: int) -> bool:
    return found is not None and found.size == size


def _facts(file: File) -> dict[str, Any]:
    kind = mimetypes.guess_type(file.path)[0] or "application/octet-stream"
    return {"Metadata": {"sha256": file.sha256}, "ContentType": kind}


def _check_tag(reply: Any, md5: bytes, key: str) -> None:
    """Check the MD5 in a reply, for stores that do not check Content-MD5; a store that encrypts by KMS gives none."""
    tag = reply["ETag"].strip('"')
    if (
        re.fullmatch("[0-9a-f]{32}", tag)
        and "aws:kms" not in reply.get("ServerSideEncryption", "")
        and tag != md5.hex()
    ):
        raise TemporaryError(
            "transfer-damaged", f"{key} arrived damaged: run again; if it stays so, the way to the store damages data"
        )
