"""`make remote`: what goes into .dvc/config, which is for git."""

import pytest

from stages import remote
from tests.refusals import refused


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What DVC was told."""
    found: list[tuple[str, ...]] = []
    monkeypatch.setattr(remote, "run_dvc", lambda *arguments: found.append(arguments))
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    return found


def test_a_bucket_comes_with_the_endpoint_and_region_of_the_environment(
    said: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    remote.add("s3://bucket/team")
    assert said == [
        ("remote", "add", "--default", "--force", "shared", "s3://bucket/team"),
        ("remote", "modify", "shared", "endpointurl", "http://127.0.0.1:9000"),
        ("remote", "modify", "shared", "region", "eu-west-1"),
    ]


@pytest.mark.parametrize("url", ["/srv/share", "file:/srv/share", "file:///srv/share", "file://localhost/srv/share"])
def test_a_folder_needs_nothing_more_and_may_be_named_as_a_store_is(said: list[tuple[str, ...]], url: str) -> None:
    remote.add(url)
    assert said == [("remote", "add", "--default", "--force", "shared", "/srv/share")]


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("", "remote-missing"),
        ("file:", "remote-missing"),
        ("s3://key:planted@bucket/x", "remote-url-invalid"),
        ("https://user:planted@host/x", "remote-url-invalid"),
        ("s3://bucket/x?token=planted", "remote-url-invalid"),
    ],
)
def test_a_url_that_is_none_or_holds_a_key_is_refused_and_not_repeated(
    said: list[tuple[str, ...]], url: str, code: str
) -> None:
    with refused(code, "URL") as caught:
        remote.add(url)
    assert "planted" not in str(caught.value)
    assert said == []


@pytest.mark.parametrize("endpoint", ["http://user:planted@host", "ftp://host", "http://host/?token=planted"])
def test_an_endpoint_with_a_password_is_refused(
    said: list[tuple[str, ...]], endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    with refused("aws-settings-invalid", "AWS_ENDPOINT_URL must be") as caught:
        remote.add("s3://bucket/x")
    assert "planted" not in str(caught.value)
    assert said == []
