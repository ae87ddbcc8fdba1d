"""A prefix of an S3 bucket: images, one folder a class, or Parquet files. Nothing of it is kept on disk but shards."""

import io
from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from stages.common.errors import UserError
from stages.common.params import Ingest
from stages.common.sections import S3_URL, Section, validated
from stages.sources import Source, parquet
from stages.sources.limits import check_size, checked, inner_name
from stages.sources.ranges import RangeFile
from stages.sources.steady import changed
from stages.sources.tree import Entry, Kind, tree_source

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

READS_PATH = False
_READERS = 16  # images that are fetched at once, since each has to be waited for
_CHUNK = 2**20  # bytes of Parquet in a request


class Options(Section):
    url: Annotated[str, Field(pattern=S3_URL)] = Field(
        description="s3://BUCKET/PREFIX; credentials, region and AWS_ENDPOINT_URL come from the environment"
    )
    columns: dict[str, Any] = Field({}, description="of Parquet files: the options of source parquet")


def paired_by(options: Options) -> bool:
    """Whether samples of Parquet files get partners."""
    return options.columns.get("partner") is not None


def read(params: Ingest, options: Options) -> Source:
    """The images in the Parquet files below the prefix, if there are any, else the images there.

    Classes and a test set are as in source `folder`, or `parquet`. Raises UserError if the store refuses a request, and
    on an object that changes meanwhile.
    """
    columns = validated(parquet.Options, options.columns, "params.yaml", "ingest.options.columns")
    bucket = _Bucket(options.url, params.max_pixels)
    tables = [parquet.Table(key, io.BufferedReader(file, _CHUNK), file.tag) for key, file in bucket.parquet_files()]
    if tables:
        return parquet.table_source("s3", options.url, tables, params, columns)
    return tree_source("s3", bucket, params, readers=_READERS)


class _Bucket:
    """The objects below a prefix, by name; see `tree.Tree`."""

    def __init__(self, url: str, max_pixels: int) -> None:
        from stages.common.s3 import bucket_and_prefix, connect  # boto3 takes half a second to import
        from stages.common.s3_errors import Use, sentences

        use = Use(
            setting="ingest.options.url of params.yaml",
            again="run again: it goes on at the last finished shard",
            rights="read here: it needs s3:ListBucket and s3:GetObject",
        )
        self.bucket, prefix = bucket_and_prefix(url, use.setting)
        self.place = url.rstrip("/")
        self._prefix = f"{prefix}/" if prefix else ""
        self._max_pixels = max_pixels
        self.client: S3Client
        self.client, place = connect(self.bucket, _READERS, use)
        self.sentences = partial(sentences, place, use)

    def entries(self) -> Iterator[Entry]:
        for item in self._objects():
            name = inner_name(self.place, item["Key"].removeprefix(self._prefix))
            kind: Kind = "folder" if item["Key"].endswith("/") else "file"
            content = partial(self._content, item["Key"], item["Size"], item["ETag"])
            yield Entry(name, kind, content, partial(str, item["ETag"]))

    def find(self, _: str) -> Callable[[], bytes] | None:
        raise UserError(
            "pairs-not-supported",
            f"{self.place} is a bucket: for pairs use a zip or a folder, or Parquet with a column of partners",
        )

    def advice(self) -> str:
        return ""

    def parquet_files(self) -> list[tuple[str, "_Object"]]:
        named = ((item["Key"].removeprefix(self._prefix), item) for item in self._objects())
        return [(name, _Object(self, item)) for name, item in named if parquet.is_table(name)]

    def _objects(self) -> Iterator[Any]:
        """All objects, in the order of names, listed a thousand at a time."""
        with self.sentences():
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self._prefix)
            for page in pages:
                yield from page.get("Contents", [])

    def _content(self, key: str, size: int, tag: str) -> bytes:
        where = f"s3://{self.bucket}/{key}"
        check_size(where, size, self._max_pixels)
        return checked(where, self.get(key, tag), self._max_pixels)

    def get(self, key: str, tag: str, range_: str | None = None) -> bytes:
        """The bytes of an object, or of a range in it, if it is still the same."""
        from botocore.exceptions import ClientError

        with self.sentences():
            try:
                get = partial(self.client.get_object, Bucket=self.bucket, Key=key, IfMatch=tag)
                answer = get(Range=range_) if range_ else get()  # an empty object has no range
                return answer["Body"].read()
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] in (404, 412):
                    raise changed(f"s3://{self.bucket}/{key}") from None
                raise


class _Object(RangeFile):
    """An object as a file: each read is a request for that range."""

    def __init__(self, bucket: _Bucket, item: Any) -> None:
        super().__init__(item["Size"])
        self._bucket, self._key, self.tag = bucket, item["Key"], item["ETag"]

    def content(self, start: int, size: int) -> bytes:
        return self._bucket.get(self._key, self.tag, f"bytes={start}-{start + size - 1}")
