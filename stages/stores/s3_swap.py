"""Replace a small object only if nobody else has: by the store's conditional writes, or by claims beside it."""

import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import ClientError

from stages.common.errors import TemporaryError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Form = Literal["quoted", "bare"]
"""How a store expects a tag in If-Match: as in HTTP, or (Ceph's gateway, at least up to 16) without quotes."""
REFUSED = {404, 409, 412}
NOT_KNOWN = {400, 405, 501}
CLAIM_SECONDS = 60.0
"""An older claim is that of a killed writer."""
ATTEMPTS = 12


def form_of(client: "S3Client", bucket: str, folder: str) -> Form | None:
    """The form in which the store obeys If-Match, tried on a test object with a wrong and the right tag; None if none.

    Some stores refuse the header (Swift's gateway); some older ones ignore it, which would silently lose a change.
    """
    target: dict[str, Any] = {"Bucket": bucket, "Key": f"{folder}.probe-{uuid.uuid4().hex}"}
    tag = client.put_object(**target, Body=b"probe")["ETag"]
    try:
        wrong = '"00000000000000000000000000000000"'
        forms: list[Form] = ["quoted", "bare"]
        for form in forms:
            if not _put_if(client, target, wrong, form) and _put_if(client, target, tag, form):
                return form
        return None
    finally:
        client.delete_object(**target)


def swap(client: "S3Client", target: dict[str, Any], old: bytes | None, new: bytes, form: Form) -> bool:
    """`Store.swap`, for a store that obeys conditions.

    After a refusal, the object's content decides: an earlier try whose answer was lost may have succeeded.
    """
    for _ in range(ATTEMPTS):
        content, tag = read(client, target)
        if content == new:
            return True
        if content != old:
            return False
        if _put_if(client, target, tag, form, new):
            return True
    raise TemporaryError("store-contended", f"{target['Key']} is being changed by others all the time: run again")


def read(client: "S3Client", target: dict[str, Any]) -> tuple[bytes | None, str | None]:
    """A small object and its tag; None for both if there is none."""
    try:
        found = client.get_object(**target)
        return found["Body"].read(), found["ETag"]
    except client.exceptions.NoSuchKey:
        return None, None


@contextmanager
def claimed(client: "S3Client", bucket: str, key: str) -> Iterator[None]:
    """Hold an object alone, by claims beside it, on a store whose listings show all earlier writes.

    A writer puts a claim, then lists: if it sees no other claim it continues, else it withdraws and tries again later.
    If two write at once, at least one sees the other, so never both continue. A writer that is delayed by more than
    CLAIM_SECONDS between its claim and its write could overlap; only conditional writes exclude that.
    """
    folder, name = f"{key}.claims/", uuid.uuid4().hex
    for attempt in range(ATTEMPTS):
        client.put_object(Bucket=bucket, Key=folder + name, Body=b"")
        try:
            claims = client.list_objects_v2(Bucket=bucket, Prefix=folder).get("Contents", [])
            times = {claim["Key"].removeprefix(folder): claim["LastModified"].timestamp() for claim in claims}
            now = times.pop(name, 0.0)
            if not [other for other in times.values() if now - other < CLAIM_SECONDS]:
                yield
                return
        finally:
            client.delete_object(Bucket=bucket, Key=folder + name)
        time.sleep(random.uniform(0, min(0.05 * 2**attempt, 5)))
    raise TemporaryError("store-contended", f"{key} is being changed by others: run again")


def _put_if(client: "S3Client", target: dict[str, Any], tag: str | None, form: Form, body: bytes = b"probe") -> bool:
    """Put an object if it has this tag, or does not exist (`tag` None); False if the store refuses."""
    kind = "application/json"
    try:
        if tag is None:
            client.put_object(**target, Body=body, ContentType=kind, IfNoneMatch="*")
        else:
            match = tag if form == "quoted" else tag.strip('"')
            client.put_object(**target, Body=body, ContentType=kind, IfMatch=match)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] in REFUSED | NOT_KNOWN:
            return False
        raise
    return True
