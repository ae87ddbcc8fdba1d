"""Releases in an S3 bucket, by boto3: credentials, region and endpoint by its standard chain."""

import base64
import hashlib
import mimetypes
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from stages.common.errors import UserError
from stages.common.s3 import bucket_and_prefix, connect
from stages.common.s3_errors import sentences
from stages.stores import CHUNK, MANIFEST, File

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

WORKERS = 8
PART = 8 * CHUNK  # a larger file goes in parts of this size; each worker holds one in memory
MAX_PARTS = 10_000  # S3's limit
Item = TypeVar("Item")
Result = TypeVar("Result")


class S3Store:
    """Files go first, several at a time, the manifest last, so that a release with a manifest is whole."""

    def __init__(self, url: str) -> None:
        """`url` is `s3://BUCKET` or `s3://BUCKET/PREFIX`."""
        self.bucket, prefix = bucket_and_prefix(url, "upload.url")
        self.url = f"s3://{self.bucket}/{prefix}".rstrip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._client, self._place = connect(self.bucket, WORKERS)

    def missing(self, folder: str, files: list[File]) -> list[File]:
        """The files that are not there with their size and SHA-256 (kept beside each as metadata)."""
        with self._sentences():
            sizes = self._sizes(f"{folder}/")
            listed = [file for file in files if sizes.get(f"{folder}/{file.path}") == file.size]
            arrived = {
                file.path
                for file, whole in _each(lambda file: self._arrived(f"{folder}/{file.path}", file), listed)
                if whole
            }
        return [file for file in files if file.path not in arrived]

    def add(self, folder: str, files: list[File], progress: Callable[[int], object]) -> None:
        first, last = [f for f in files if f.path != MANIFEST], [f for f in files if f.path == MANIFEST]
        small, large = [f for f in first if f.size <= PART], [f for f in first if f.size > PART]
        with self._sentences():
            for file, _ in _each(lambda file: self._put(f"{folder}/{file.path}", file), small):
                progress(file.size)
            for file in large:
                self._put_in_parts(f"{folder}/{file.path}", file, progress)
            for file in last:
                self._put(f"{folder}/{file.path}", file)
                progress(file.size)

    def read(self, key: str) -> bytes | None:
        with self._sentences():
            try:
                return self._client.get_object(Bucket=self.bucket, Key=self._prefix + key)["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return None

    def write(self, key: str, content: bytes) -> None:
        with self._sentences():
            self._put(key, File.of(key, content))

    def _sentences(self) -> AbstractContextManager[None]:
        return sentences(self._place)

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
        """Send a large file, less the parts that an interrupted try left there."""
        part = max(PART, -(-file.size // MAX_PARTS))
        digests = _part_digests(file, part)
        upload, tags = self._unfinished(key)
        if upload is None:
            upload = self._client.create_multipart_upload(**self._target(key), **_facts(file))["UploadId"]
        target = {**self._target(key), "UploadId": upload}

        def send(number: int) -> "CompletedPartTypeDef":
            md5 = digests[number - 1]
            if tags.get(number) != md5.hex():
                tags[number] = self._put_part(target, file, number, part, md5)
            return {"PartNumber": number, "ETag": f'"{tags[number]}"'}

        parts = []
        for number, sent in _each(send, range(1, len(digests) + 1)):
            parts.append(sent)
            progress(min(part, file.size - (number - 1) * part))
        self._complete(target, parts, file)

    def _put_part(self, target: dict[str, Any], file: File, number: int, part: int, md5: bytes) -> str:
        with file.open() as source:
            source.seek((number - 1) * part)
            body = source.read(part)
        if hashlib.md5(body, usedforsecurity=False).digest() != md5:
            raise file.changed()
        reply = self._client.upload_part(
            **target, PartNumber=number, Body=body, ContentMD5=base64.b64encode(md5).decode()
        )
        _check_tag(reply, md5, target["Key"])
        return reply["ETag"].strip('"')

    def _complete(self, target: dict[str, Any], parts: list["CompletedPartTypeDef"], file: File) -> None:
        # No such upload: a first try, whose answer was lost, has completed it. The check decides.
        with suppress(self._client.exceptions.NoSuchUpload):
            self._client.complete_multipart_upload(**target, MultipartUpload={"Parts": parts})
        if not self._arrived(target["Key"].removeprefix(self._prefix), file):
            raise UserError(f"s3://{self.bucket}/{target['Key']} did not arrive whole: run again")

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

    def _sizes(self, folder: str) -> dict[str, int]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._prefix + folder)
        found = [item for page in pages for item in page.get("Contents", [])]
        return {item["Key"].removeprefix(self._prefix): item["Size"] for item in found}

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


def _each(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """`function` on each item, several at a time, results in order; the first error cancels what has not begun."""
    items = list(items)
    with ThreadPoolExecutor(WORKERS) as pool:
        yield from zip(items, pool.map(function, items), strict=True)


def _part_digests(file: File, part: int) -> list[bytes]:
    """The MD5 of each part, from one reading that also checks the SHA-256 of the whole."""
    whole, digests = hashlib.sha256(), []
    with file.open() as source:
        while body := source.read(part):
            whole.update(body)
            digests.append(hashlib.md5(body, usedforsecurity=False).digest())
    if whole.hexdigest() != file.sha256:
        raise file.changed()
    return digests


def _facts(file: File) -> dict[str, Any]:
    kind = mimetypes.guess_type(file.path)[0] or "application/octet-stream"
    return {"Metadata": {"sha256": file.sha256}, "ContentType": kind}


def _check_tag(reply: Any, md5: bytes, key: str) -> None:
    """A store that does not check Content-MD5 still answers with the MD5 of what it got, unless it encrypts by KMS."""
    tag = reply["ETag"].strip('"')
    if (
        re.fullmatch("[0-9a-f]{32}", tag)
        and "aws:kms" not in reply.get("ServerSideEncryption", "")
        and tag != md5.hex()
    ):
        raise UserError(f"{key} arrived damaged: run again; if it stays so, the way to the store damages data")
