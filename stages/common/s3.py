"""A connection to an S3 bucket, by boto3: credentials, region and endpoint by its standard chain."""

import re
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.handlers import add_expect_header

from stages.common.errors import UserError
from stages.common.s3_errors import UPLOAD, Use, sentences, without_secrets

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


def connect(bucket: str, workers: int, use: Use = UPLOAD) -> tuple["S3Client", str]:
    """A client (which connects at its first request) for `workers` threads, and the bucket's name in errors."""
    try:
        with sentences(f"s3://{bucket}", use):
            client = boto3.session.Session().client("s3", config=_config(workers))
        # A small body is sent at once, without `Expect: 100-continue` (a round trip, or a second where the
        # store does not answer that); a part of a large file still asks.
        client.meta.events.unregister("before-call.s3", add_expect_header)
        client.meta.events.register("before-call.s3.UploadPart", add_expect_header)
        return client, f"s3://{bucket} at {without_secrets(client.meta.endpoint_url)}"
    except ValueError:  # not repeated: it can contain a name and a password
        raise UserError(
            "aws-settings-invalid",
            "the AWS settings in the environment or in ~/.aws cannot be used: "
            "AWS_ENDPOINT_URL must be http(s)://HOST:PORT, AWS_MAX_ATTEMPTS a whole number",
        ) from None


def has_credentials() -> bool:
    """Whether boto3 finds credentials by its standard chain; only the store knows whether it accepts them."""
    with sentences("AWS"):
        return boto3.session.Session().get_credentials() is not None


def _config(workers: int) -> Config:
    return Config(
        connect_timeout=10,
        read_timeout=60,
        retries={"mode": "standard"},  # 3 attempts with back-off, unless AWS_MAX_ATTEMPTS is set
        max_pool_connections=workers,
        # The newer checksums fail with stores other than AWS. Every body here has its MD5, which all stores know.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        # As botocore does over HTTPS: the MD5, which is signed, covers the body.
        s3={"payload_signing_enabled": False},
    )


def bucket_and_prefix(url: str, setting: str) -> tuple[str, str]:
    """Bucket and prefix of s3://BUCKET/PREFIX, the value of `setting`."""
    bucket, _, prefix = url.removeprefix("s3://").partition("/")
    prefix = prefix.rstrip("/")
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,255}", bucket):  # not shown: it may be a secret written into the URL
        raise UserError(
            "bucket-name-invalid",
            f"{setting} names no bucket that S3 allows: write s3://BUCKET/PREFIX, "
            "the bucket with letters, digits, '.', '_' and '-' only, and leave keys to the environment",
        )
    segments = prefix.split("/") if prefix else []
    if any(part in (".", "..") or not re.fullmatch(r"[\w.!*'() -]+", part, re.ASCII) for part in segments):
        raise UserError(
            "bucket-prefix-invalid",
            f"the prefix in {setting} has an empty part, '.', '..' or a sign that is not safe in S3: "
            "write s3://BUCKET/PREFIX with letters, digits and -_.!*'() between single slashes",
        )
    return bucket, prefix
