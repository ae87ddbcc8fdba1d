"""Errors between here and a bucket, as sentences without secrets.

Of a store's or boto3's messages only the error's name is repeated: replies and URLs can contain keys.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError

from stages.common.errors import TemporaryError, UserError


@dataclass(frozen=True)
class Use:
    """What the store is used for."""

    setting: str
    """The setting of its address, such as a key of params.yaml."""
    again: str
    """What to do again after a fix."""
    rights: str
    """The rights that the access key needs."""


UPLOAD = Use(
    setting="upload.url of params.yaml",
    again="run again: files that arrived are not sent again",
    rights="read and write here: it needs s3:ListBucket, s3:GetObject and s3:PutObject",
)

_KEYS = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the AWS profile"
_NO_ACCESS = f"this access key may not {{rights}}; if it should have them, {_KEYS}"
_FAILING = "the store is overloaded or failing, after several tries: {again}"

_REFUSALS = {
    "NoSuchBucket": "there is no such bucket: create it, or name another in {setting}",
    "NoSuchKey": "what was asked for is not there: `list` names the releases that are",
    "NoSuchUpload": "an unfinished upload was removed meanwhile: {again}",
    "InvalidBucketName": "the store allows no such bucket name: name another in {setting}",
    "InvalidAccessKeyId": f"the store does not know the access key: {_KEYS}",
    "SignatureDoesNotMatch": f"the secret key does not belong to the access key: {_KEYS}",
    "AccessDenied": _NO_ACCESS,
    "403": _NO_ACCESS,
    "ExpiredToken": "the session token has expired: sign in again",
    "InvalidToken": "the session token is not valid: sign in again, or unset AWS_SESSION_TOKEN",
    "RequestTimeTooSkewed": "the clock of this machine differs from the store's: set it right",
    "PermanentRedirect": "the bucket is in another region: set AWS_DEFAULT_REGION to it",
    "AuthorizationHeaderMalformed": "the bucket is in another region: set AWS_DEFAULT_REGION to it",
    "BadDigest": "data was damaged on the way: {again}",
    "XAmzContentSHA256Mismatch": "data was damaged on the way: {again}",
    "QuotaExceeded": "the store is full: make room there",
    "XMinioStorageFull": "the store is full: make room there",
    "507": "the store is full: make room there",
    "RequestTimeout": "the connection is too slow or was cut: {again}",
    "SlowDown": _FAILING,
}

_BUSY = {"BadDigest", "XAmzContentSHA256Mismatch", "RequestTimeout", "SlowDown"}
"""Refusals that another try may not get."""

# In this order: a class comes before its base classes.
_LASTING: list[tuple[type[BotoCoreError], str]] = [
    (boto.NoCredentialsError, "no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"),
    (boto.PartialCredentialsError, f"half of the credentials is missing: {_KEYS}"),
    (boto.ProfileNotFound, "the AWS profile is not in the configuration: check AWS_PROFILE"),
    (boto.ConfigParseError, "the AWS configuration file cannot be read: mend ~/.aws/config"),
    (boto.ConfigNotFound, "the AWS configuration file cannot be read: mend ~/.aws/config"),
    (boto.NoRegionError, "no region is set: set AWS_DEFAULT_REGION"),
    (boto.SSLError, "the secure connection fails: check the endpoint's certificate, or set AWS_CA_BUNDLE"),
]
_NO_CONNECTION = (boto.EndpointConnectionError, boto.ConnectTimeoutError, boto.ProxyConnectionError)
BROKEN_CONNECTION = (boto.ConnectionError, boto.HTTPClientError, boto.IncompleteReadError)


@contextmanager
def sentences(place: str, use: Use = UPLOAD) -> Iterator[None]:
    """Turn boto3's errors into a `UserError` about `place`."""
    try:
        yield
    except ClientError as error:
        raise _refused(place, use, error) from None
    except BotoCoreError as error:
        raise _failed(place, use, error) from None


def _refused(place: str, use: Use, error: ClientError) -> UserError:
    code = re.sub(r"[^A-Za-z0-9.]", "", str(error.response.get("Error", {}).get("Code", "")))[:60]
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    known = _REFUSALS.get(code) or _REFUSALS.get(str(status))
    failing = known is None and status >= 500
    sentence = (_FAILING if failing else known or "the store refuses this").format(**vars(use))
    kind = TemporaryError if failing or code in _BUSY else UserError
    reason = f"{error.operation_name}: {code or 'no reason given'}, HTTP {status}"
    return kind("store-refused", f"{place}: {sentence} ({reason})")


def _failed(place: str, use: Use, error: BotoCoreError) -> UserError:
    for kind, sentence in _LASTING:
        if isinstance(error, kind):
            return UserError("aws-settings-invalid", f"{place}: {sentence}")
    if isinstance(error, _NO_CONNECTION):
        where = "check the network, and AWS_ENDPOINT_URL where the store is not AWS"
        return TemporaryError("store-unreachable", f"{place}: no connection: {where}; then run again")
    if isinstance(error, BROKEN_CONNECTION):
        closed = "the store closed the connection or stopped answering, after several tries"
        return TemporaryError("store-unreachable", f"{place}: {closed}: {use.again}")
    settings = "check the AWS settings in the environment and in ~/.aws"
    return UserError("aws-settings-invalid", f"{place}: boto3 cannot go on ({type(error).__name__}): {settings}")


def without_secrets(endpoint: str) -> str:
    """An endpoint without anything before its host or after its port: a name, a password, a token."""
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")
