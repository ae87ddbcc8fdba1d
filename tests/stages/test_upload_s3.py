"""Against moto's server, and against a real one when MINTAGE_TEST_S3_ENDPOINT and AWS credentials name it."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from stages.common.errors import TRY_AGAIN
from stages.stores import parallel, s3
from stages.stores.s3 import S3Store
from tests.programs import free_port
from tests.refusals import refused
from tests.stages.release_trees import REPO, make_tree, set_url
from tests.stages.s3_servers import (
    KEY,
    REAL,
    SECRET,
    SERVERS,
    Place,
    Server,
    killer,
    moto_server,
    named_server,
    place_on,
    sent,
)

TOKEN = "planted-session-token"


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with named_server(request.param) as found:
        yield found


@pytest.fixture
def place(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Place]:
    with place_on(server, tmp_path, monkeypatch, capsys, pictures=12) as found:
        yield found


def test_a_release_arrives_whole_and_latest_points_to_it(place: Place, tmp_path: Path) -> None:
    assert place.upload()[0] == 0
    manifest = place.check(tmp_path / "fetched")
    receipt = place.receipt()
    assert receipt["url"] == f"s3://{place.bucket}/team/digits/releases/{manifest['id'][:20]}"
    assert receipt["latest"] == f"s3://{place.bucket}/team/digits/channels/latest.json"
    assert receipt["files"] == len(manifest["files"])
    assert receipt["data"] == {"images": 3}  # what the gate compares the next data with, without a network
    assert json.loads(place.read("team/digits/channels/latest.json"))["id"] == manifest["id"]
    order = [key.rsplit("/", 1)[1] for key in sent(place.proxy)]
    assert order[-2:] == ["manifest.json", "latest.json"]


def test_repeating_an_upload_sends_nothing(place: Place) -> None:
    place.upload()
    first = (place.tree / "published.json").read_bytes()
    place.proxy.requests.clear()
    code, printed = place.upload()
    assert (code, place.proxy.paths("PUT"), place.proxy.paths("POST")) == (0, [], [])
    assert "nothing to send" in printed
    assert (place.tree / "published.json").read_bytes() == first


def test_going_back_to_an_earlier_release_sends_only_the_pointer(place: Place) -> None:
    place.upload()
    first = place.receipt()
    make_tree(place.tree, pictures=12, seed=1)
    set_url(place.tree, f"s3://{place.bucket}/team/digits")
    place.upload()
    assert place.receipt() != first
    make_tree(place.tree, pictures=12, seed=0)
    set_url(place.tree, f"s3://{place.bucket}/team/digits/")
    place.proxy.requests.clear()
    place.upload()
    assert place.receipt() == first
    assert sent(place.proxy) == ["team/digits/channels/latest.json"]


def test_a_file_lost_in_the_store_is_sent_again_alone(place: Place, tmp_path: Path) -> None:
    place.upload()
    lost = next(key for key in place.objects() if key.endswith("/config.json"))
    place.client.delete_object(Bucket=place.bucket, Key=lost)
    place.proxy.requests.clear()
    assert place.upload()[0] == 0
    assert sent(place.proxy) == [lost]
    place.check(tmp_path / "fetched")


def test_a_connection_closed_half_way_stops_with_a_sentence_and_the_next_try_sends_only_the_rest(
    place: Place, tmp_path: Path
) -> None:
    place.proxy.cut_after = 60_000
    code, printed = place.upload()
    assert code == TRY_AGAIN
    assert re.search(r"error: s3://\S+ at http://127.0.0.1:\d+: the store closed the connection.*run again", printed)
    assert not place.has_release()
    assert not (place.tree / "published.json").exists()
    place.proxy.cut_after = None
    place.proxy.requests.clear()
    arrived = set(place.objects())
    assert arrived
    assert place.upload()[0] == 0
    rest = set(sent(place.proxy))
    assert not rest & arrived
    assert rest | arrived == set(place.objects())
    place.check(tmp_path / "fetched")


def test_a_connection_closed_once_is_healed_by_a_retry(place: Place, tmp_path: Path) -> None:
    place.proxy.cut_after, place.proxy.heal = 60_000, True
    assert place.upload()[0] == 0
    assert place.proxy.cut_after is None
    place.check(tmp_path / "fetched")


def test_a_large_file_goes_on_from_the_parts_that_arrived(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "PART", 5 << 20)  # the smallest that S3 allows
    monkeypatch.setattr(parallel, "WORKERS", 1)
    make_tree(place.tree, megabytes=18, pictures=12)
    set_url(place.tree, f"s3://{place.bucket}/team/digits")
    place.proxy.cut_after = 13 << 20
    assert place.upload()[0] == TRY_AGAIN
    place.proxy.cut_after = None
    place.proxy.requests.clear()
    assert place.upload()[0] == 0
    parts = [path for path in place.proxy.paths("PUT") if "partNumber" in path]
    assert [re.findall(r"partNumber=(\d+)", path) for path in parts] == [["3"], ["4"]]
    place.check(tmp_path / "fetched")


def test_a_publisher_killed_in_the_middle_leaves_no_release_and_the_next_one_finishes(
    place: Place, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    resent: set[str] = set()
    for puts in [1, 6, 6, 6]:
        arrived = set(place.objects())
        place.proxy.requests.clear()
        process = subprocess.Popen([sys.executable, "-m", "stages.upload"], env=environment, stderr=subprocess.DEVNULL)
        place.proxy.on_put = killer(process, place.proxy, puts)
        assert process.wait() == -signal.SIGKILL
        assert not place.has_release()
        resent |= arrived & set(sent(place.proxy))
    place.proxy.on_put = lambda: None
    assert place.upload()[0] == 0
    assert not resent
    place.check(tmp_path / "fetched")


def test_a_file_that_changes_during_the_upload_is_noticed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel, "WORKERS", 1)
    changing = place.tree / "samples/part-00000.parquet"  # the last to be sent

    def change() -> None:
        changing.write_bytes(b"other")

    place.proxy.on_put = change
    code, printed = place.upload()
    assert code == 2
    assert "samples/part-00000.parquet changed while it was being uploaded" in printed
    assert not place.has_release()


def test_a_body_damaged_on_the_way_is_never_released(place: Place) -> None:
    (place.tree / "metrics/train.tsv").write_text("images\tvalue\n123456789\t0\n")
    place.proxy.damage = b"123456789", b"123456788"
    code, printed = place.upload()
    assert code == TRY_AGAIN
    assert "damaged" in printed
    assert not place.has_release()


def test_a_missing_bucket_is_named(place: Place) -> None:
    set_url(place.tree, "s3://mintage-has-no-such-bucket/x")
    code, printed = place.upload()
    assert code == 2
    assert "s3://mintage-has-no-such-bucket at http://127.0.0.1:" in printed
    assert "there is no such bucket: create it" in printed


def test_a_store_that_nobody_answers_for_is_named_without_the_password_in_its_url(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    place.secrets.append("planted-password")
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://user:planted-password@127.0.0.1:{port}")
    code, printed = place.upload()
    assert code == TRY_AGAIN
    assert f"at http://127.0.0.1:{port}: no connection: check the network" in printed


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("AWS_ACCESS_KEY_ID", "", "half of the credentials is missing|no credentials found"),
        ("AWS_PROFILE", "nobody", "profile is not in the configuration: check AWS_PROFILE"),
        ("AWS_ENDPOINT_URL", "user:planted-password@store", r"AWS_ENDPOINT_URL must be http\(s\)://HOST:PORT"),
        ("AWS_ENDPOINT_URL", "http://user:planted-password@store:port", "AWS_ENDPOINT_URL must be"),
        ("AWS_MAX_ATTEMPTS", "many", "AWS_MAX_ATTEMPTS a whole number"),
    ],
)
def test_settings_that_cannot_work_are_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    place.secrets.append("planted-password")
    monkeypatch.setenv(name, value)
    code, printed = place.upload()
    assert code == 2
    assert re.search(sentence, printed)


def test_missing_credentials_are_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    code, printed = place.upload()
    assert code == 2
    assert "no credentials found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in printed


@pytest.mark.skipif(not REAL, reason="MINTAGE_TEST_S3_ENDPOINT is not set")
@pytest.mark.parametrize("server", ["real"], indirect=True)
@pytest.mark.parametrize(
    ("name", "value"), [("AWS_SECRET_ACCESS_KEY", SECRET), ("AWS_ACCESS_KEY_ID", "planted:nobody")]
)
def test_a_wrong_key_is_refused_by_a_real_server_and_named(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    place.secrets.append(value)
    monkeypatch.setenv(name, value)
    code, printed = place.upload()
    assert code == 2
    assert re.search("the secret key does not belong to the access key|the store does not know the access key", printed)


@pytest.fixture
def guarded(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    """moto told to check keys and signatures; the key and secret of a user without rights."""
    with moto_server(KEY, SECRET) as server:
        endpoint = f"http://{server.host}:{server.port}"
        admin = boto3.session.Session("a", "b", region_name="us-east-1")
        admin.client("s3", endpoint_url=endpoint).create_bucket(Bucket="models")
        iam = admin.client("iam", endpoint_url=endpoint)
        iam.create_user(UserName="reader")
        made = iam.create_access_key(UserName="reader")["AccessKey"]
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        _check_keys_after(endpoint, "0")
        yield made["AccessKeyId"], made["SecretAccessKey"]
        _check_keys_after(endpoint, "inf")


def _check_keys_after(endpoint: str, requests: str) -> None:
    url, headers = f"{endpoint}/moto-api/reset-auth", {"Content-Type": "text/plain"}
    urllib.request.urlopen(urllib.request.Request(url, requests.encode(), headers, method="POST"))


def test_an_unknown_key_a_wrong_secret_and_a_key_without_rights_are_told_apart(
    guarded: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cases = [
        (KEY, SECRET, "the store does not know the access key"),
        (guarded[0], SECRET, "the secret key does not belong to the access key"),
        (*guarded, "this access key may not read and write here"),
    ]
    for key, secret, sentence in cases:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
        with refused("store-refused", sentence) as caught:
            S3Store("s3://models").missing("releases/x", [])
        assert secret not in str(caught.value)
        assert key not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("s3://", "bucket-name-invalid"),
        ("s3:///prefix", "bucket-name-invalid"),
        (f"s3://{KEY}:{SECRET}", "bucket-name-invalid"),
        ("s3://a bucket/x", "bucket-name-invalid"),
        ("s3://bucket/a//b", "bucket-prefix-invalid"),
        ("s3://b/../c", "bucket-prefix-invalid"),
        ("s3://b/a?b", "bucket-prefix-invalid"),
    ],
)
def test_a_malformed_bucket_or_prefix_is_refused_without_repeating_it(url: str, code: str) -> None:
    with refused(code, "upload.url", "write s3://BUCKET/PREFIX") as caught:
        S3Store(url)
    assert SECRET not in str(caught.value)


def test_no_planted_secret_is_in_any_output(place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if not REAL:
        monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    monkeypatch.setenv("MINTAGE_UNRELATED_PASSWORD", "planted-unrelated")
    assert place.upload()[0] == 0
    planted = [secret.encode() for secret in (*place.secrets, TOKEN, "planted-unrelated")]
    outputs = [place.read(key) for key in place.objects()] + [(place.tree / "published.json").read_bytes()]
    assert not [secret for secret in planted for output in outputs if secret in output]
