"""What broken uploads leave is removed, and nothing else; a release that loses files is taken back."""

import io
import time
from collections.abc import Callable

import pytest

from stages.releases.catalog import leftovers, listed, remove_leftover
from stages.releases.channels import read_channel
from stages.stores import File
from tests.refusals import refused
from tests.stages.shared_store import Shared


def test_gc_removes_what_broken_uploads_left_but_nothing_young_and_nothing_visible(shared: Shared) -> None:
    kept = shared.release(0)
    begin_upload(shared)
    shared.store.write("releases/0123456789abcdef0123/config.json", b"{}")
    assert shared.run("gc")[1] == "0 leftovers older than 24 hours\n"
    time.sleep(1.1)  # listings tell whole seconds
    assert "would remove" in shared.run("gc", "--older-than", "0", "--dry-run")[1]
    assert shared.store.unfinished()
    assert shared.run("gc", "--older-than", "0")[1].splitlines()[-1] == "2 leftovers older than 0 hours"
    assert not shared.store.unfinished()
    assert {key.split("/")[1] for key in shared.store.entries("releases/")} == {kept}
    assert shared.run("verify", kept)[0] == 0


class Answer(io.StringIO):
    """A terminal on which somebody types."""

    def isatty(self) -> bool:
        return True


def begin_upload(shared: Shared) -> None:
    """Leave behind what a killed publisher of a large file does."""
    from stages.stores.folder import FolderStore
    from stages.stores.s3 import S3Store

    if isinstance(shared.store, FolderStore):
        (shared.store.root / "releases/.fedcba.partial").mkdir()
        return
    assert isinstance(shared.store, S3Store)
    client, key = shared.store._client, "team/releases/fedcba/generator.safetensors"
    upload = client.create_multipart_upload(Bucket=shared.store.bucket, Key=key)["UploadId"]
    client.upload_part(Bucket=shared.store.bucket, Key=key, UploadId=upload, PartNumber=1, Body=b"part")


def test_gc_leaves_an_upload_that_somebody_goes_on_with(shared: Shared) -> None:
    old, folder = "releases/0123456789abcdef0123/config.json", "releases/0123456789abcdef0123"
    shared.store.write(old, b"{}")
    time.sleep(1.1)
    found = dict(leftovers(shared.store, hours=0))
    shared.store.write(f"{folder}/metrics.json", b"{}")
    remove_leftover(shared.store, folder, found[folder], hours=1)
    assert shared.store.read(old) == b"{}"


def test_a_release_whose_files_are_removed_while_it_is_published_is_taken_back(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, kept = shared.store.add, shared.release(0)

    def add_and_lose(folder: str, files: list[File], progress: Callable[[int], object]) -> None:
        add(folder, files, progress)
        shared.store.remove([f"{folder}/config.json"])

    with monkeypatch.context() as patch:
        patch.setattr(shared.store, "add", add_and_lose)
        with refused("release-removed-meanwhile"):
            shared.release(1)
    assert [summary.release for summary in listed(shared.store, [])] == [kept]
    assert read_channel(shared.store, "latest").release == kept
    assert shared.run("verify", shared.release(1))[0] == 0


@pytest.mark.parametrize("hours", ["nan", "-1", "soon"])
def test_gc_is_told_how_old_by_a_number_of_hours(shared: Shared, hours: str) -> None:
    assert shared.run("gc", "--older-than", hours)[0] == 2


@pytest.mark.tried(
    "`mintage releases delete RELEASE`, with the answer no", "nothing was removed: answer y to remove it"
)
def test_a_terminal_is_asked_once_before_something_is_removed(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    first, second = shared.release(0), shared.release(1)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)

    def deleted(answer: str, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.stdin", Answer(answer))
        return shared.run("delete", *arguments)

    code, said = deleted("\n", first)
    assert (code, said.count("[y/N]")) == (2, 1)
    assert f"Remove release {first} (" in said
    read(said)
    assert "[y/N]" not in deleted("", second)[1], "it is refused at once: a channel points to it"
    assert deleted("y\n", first)[0] == 0
    assert deleted("", second, "--force", "--yes")[0] == 0
    assert not shared.store.entries("releases/")
