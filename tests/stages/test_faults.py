"""What can go wrong between here and a store: success after retries, or one sentence, and never a half release.

Through a proxy that refuses, cuts and delays, before moto's server and a real one where the environment names it.
"""

import itertools
import multiprocessing
import os
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from stages.common.errors import BAD_INPUT, TRY_AGAIN
from stages.releases.catalog import find
from stages.releases.content import gather
from stages.releases.publish import publish
from stages.releases.transfer import fetch, verify
from stages.stores import open_store
from tests.programs import python
from tests.stages.release_trees import REPO, check_release, make_tree, set_url
from tests.stages.s3_servers import SERVERS, Place, Server, named_server, place_on, refusal


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with named_server(request.param) as found:
        yield found


@pytest.fixture
def place(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Place]:
    with place_on(server, tmp_path, monkeypatch, capsys, pictures=3) as found:
        found.secrets.append("planted-message")
        yield found


def url(place: Place) -> str:
    return f"s3://{place.bucket}/team/digits"


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("status", [500, 503])
def test_a_store_that_fails_for_a_while_is_tried_again_until_it_does_not(
    place: Place, status: int, tmp_path: Path
) -> None:
    numbers = itertools.count()
    place.proxy.refuse = lambda method, path: refusal(status, "SlowDown") if next(numbers) % 4 == 0 else None
    os.environ["AWS_MAX_ATTEMPTS"] = "6"  # the fixture puts it back
    assert place.upload()[0] == 0
    place.check(tmp_path / "fetched")


@pytest.mark.parametrize(
    ("refused", "sentence", "exit_code"),
    [
        ((503, "SlowDown"), "the store is overloaded or failing, after several tries", TRY_AGAIN),
        ((500, "InternalError"), "the store is overloaded or failing, after several tries", TRY_AGAIN),
        ((403, "AccessDenied"), "this access key may not read and write here", BAD_INPUT),
        ((403, "RequestTimeTooSkewed"), "the clock of this machine differs from the store's: set it right", BAD_INPUT),
        ((400, "AuthorizationHeaderMalformed"), "the bucket is in another region: set AWS_DEFAULT_REGION", BAD_INPUT),
        ((404, "NoSuchBucket"), "there is no such bucket: create it", BAD_INPUT),
        ((507, "QuotaExceeded"), "the store is full: make room there", BAD_INPUT),
    ],
)
def test_a_store_that_refuses_from_the_fifth_file_on_stops_with_one_sentence_and_the_next_try_finishes(
    place: Place, refused: tuple[int, str], sentence: str, exit_code: int, tmp_path: Path
) -> None:
    before = contents(place.tree)
    place.proxy.refuse = lambda method, path: refusal(*refused) if len(place.proxy.paths("PUT")) > 4 else None
    found, printed = place.upload()
    assert found == exit_code
    errors = [line for line in printed.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert sentence in errors[0]
    assert "Traceback" not in printed
    assert not place.has_release()
    assert contents(place.tree) == before
    place.proxy.refuse = lambda method, path: None
    assert place.upload()[0] == 0
    place.check(tmp_path / "fetched")


def test_a_clock_that_is_wrong_is_named_by_a_real_server(
    place: Place, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.node.callspec.params["server"] == "moto":
        pytest.skip("moto takes any time")
    late = datetime.now(UTC) + timedelta(hours=2)
    with monkeypatch.context() as patch:
        patch.setattr("botocore.auth.get_current_datetime", lambda remove_tzinfo=True: late.replace(tzinfo=None))
        code, printed = place.upload()
    assert code == BAD_INPUT
    assert "the clock of this machine differs from the store's" in printed


def test_a_slow_store_is_waited_for(place: Place, tmp_path: Path) -> None:
    place.proxy.delay = 0.02
    assert place.upload()[0] == 0
    place.check(tmp_path / "fetched")


@pytest.mark.parametrize("megabytes", [0.5, 20])
def test_a_fetch_whose_connection_is_reset_half_way_goes_on(place: Place, megabytes: float, tmp_path: Path) -> None:
    make_tree(place.tree, megabytes=megabytes)
    set_url(place.tree, url(place))
    assert place.upload()[0] == 0
    store = open_store(url(place))
    release = find(store, "latest")
    place.proxy.cut_replies_after = int(megabytes * 1e6 / 2)
    fetch(release, tmp_path / "fetched" / release.name)
    assert place.proxy.cut_replies_after is None
    check_release(tmp_path / "fetched" / release.name)
    place.proxy.cut_replies_after = int(megabytes * 1e6 / 2)
    assert verify(release)[1] == []


def _always(answer: bytes, method: str, path: str) -> bytes:
    return answer


KILLS = 50 if os.environ.get("MINTAGE_THOROUGH") else 15


@pytest.mark.parametrize("megabytes", [3, 20])
def test_a_disk_that_is_full_on_fetch_stops_with_a_sentence_and_the_next_try_finishes(
    place: Place, megabytes: float, tmp_path: Path
) -> None:
    make_tree(place.tree, megabytes=megabytes)
    set_url(place.tree, url(place))
    assert place.upload()[0] == 0
    target = tmp_path / "fetched"
    done = python("-m", "stages.releases", "fetch", "latest", target, folder=place.tree, largest_file=1_000_000)
    assert done.returncode == BAD_INPUT, done.stderr
    assert "free some space and run again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not target.exists()
    release = find(open_store(url(place)), "latest")
    fetch(release, tmp_path / release.name)
    check_release(tmp_path / release.name)


def publish_there(environment: dict[str, str], tree: str, store: str) -> None:
    os.environ.update(environment)
    os.chdir(tree)
    publish(open_store(store), gather())


@pytest.mark.slow
def test_a_publisher_killed_at_any_moment_leaves_no_half_release_and_the_next_one_finishes(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_tree(place.tree, megabytes=12, pictures=4)  # two parts
    monkeypatch.setenv("PYTHONPATH", str(REPO))
    before, store, moments = contents(place.tree), open_store(url(place)), random.Random(0)
    fresh = multiprocessing.get_context("forkserver")  # a process without the server's threads
    fresh.set_forkserver_preload(["tests.stages.test_faults"])
    arguments = (dict(os.environ), str(place.tree), url(place))
    longest, killed = 0.0, 0
    while killed < KILLS:
        publisher = fresh.Process(target=publish_there, args=arguments)
        publisher.start()
        start = time.monotonic()
        publisher.join(moments.uniform(0, longest) if longest else None)
        if publisher.exitcode is None:
            publisher.kill()
            publisher.join()
            killed += 1
        else:
            assert publisher.exitcode == 0
            longest = max(longest, time.monotonic() - start)
        assert contents(place.tree) == before
        if place.has_release():
            assert verify(find(store, next(k for k in place.objects() if "/releases/" in k).split("/")[3]))[1] == []
            store.remove(list(store.entries("")))
        else:
            assert store.read("channels/latest.json") is None
    publish_there(*arguments)
    assert verify(find(store, "latest"))[1] == []


def test_no_planted_secret_is_in_any_output_log_or_error(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MINTAGE_UNRELATED_PASSWORD", "planted-unrelated")
    planted = [*place.secrets, "planted-unrelated", "X-Amz-Signature="]
    printed = [place.upload()[1]]
    for status, code in [(403, "SignatureDoesNotMatch"), (503, "SlowDown")]:
        answer = refusal(status, code)
        place.proxy.refuse = partial(_always, answer)
        printed.append(place.upload()[1])
    place.proxy.refuse = lambda method, path: None
    for words in (["list"], ["show", "latest"], ["verify", "latest"], ["fetch", "latest", str(tmp_path / "fetched")]):
        done = python("-m", "stages.releases", *words, folder=place.tree)
        assert done.returncode == 0, done.stderr
        printed += [done.stdout, done.stderr]
    outputs = [place.read(key) for key in place.objects()] + [*contents(place.tree).values()]
    outputs += [*contents(tmp_path / "fetched").values(), *(text.encode() for text in printed)]
    outputs += [record.getMessage().encode() for record in caplog.records if not record.name.startswith("werkzeug")]
    assert len(outputs) > 50
    assert not [secret for secret in planted for output in outputs if secret.encode() in output]
