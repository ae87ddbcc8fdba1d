"""`python -m stages.releases` on a folder, on moto, and on a real server where the environment names one."""

import errno
import json
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from stages.common.errors import TRY_AGAIN
from stages.releases.__main__ import main
from stages.releases.catalog import delete
from stages.releases.channels import Channel, LostRaceError, move, promote, read_channel
from stages.releases.content import gather, identify
from stages.releases.manifest import release_in
from stages.stores import Store, open_store
from stages.stores.s3 import S3Store
from tests.programs import git
from tests.refusals import refused
from tests.stages.release_trees import check_release, make_tree
from tests.stages.shared_store import Shared


def test_what_is_published_twice_is_one_release_and_is_listed_once(shared: Shared) -> None:
    assert shared.run("publish")[0] == 0
    code, printed = shared.run("publish")
    assert code == 0
    assert "nothing to send" in printed
    found = json.loads(shared.run("list", "--json")[1])
    assert [(len(found["releases"]), found["releases"][0]["channels"])] == [(1, ["latest"])]
    assert found["channels"] == {"latest": found["releases"][0]["release"]}


def test_a_list_is_readable_and_names_each_channel_beside_its_release(shared: Shared) -> None:
    first, second = shared.release(0), shared.release(1)
    code, printed = shared.run("promote", first, "production")
    assert (code, "writers are kept apart" in printed) == (0, shared.store.url.startswith("s3:")), printed
    lines = shared.run("list")[1].splitlines()
    assert {line.split()[0]: line.split()[-1] for line in lines} == {first: "production", second: "latest"}


@pytest.mark.parametrize("content", [b"{", b'{"release": 5, "id": 5}', b'{"release": "../..", "id": "../.."}'])
def test_a_damaged_channel_is_named_and_hides_no_other(shared: Shared, content: bytes) -> None:
    release = shared.release(0)
    shared.store.write("channels/production.json", content)
    code, printed = shared.run("list")
    assert code == 1
    assert f"{shared.store.url}/channels/production.json is damaged" in printed
    assert [line.split()[-1] for line in printed.splitlines() if line.startswith(release)] == ["latest"]
    code, printed = shared.run("list", "--json")
    assert (code, '"latest": ' in printed, "production.json is damaged" in printed) == (1, True, True)


def test_show_tells_files_origin_and_a_channel_s_history(shared: Shared) -> None:
    first, second = shared.release(0), shared.release(1)
    code, printed = shared.run("show", "latest")
    assert code == 0
    assert printed.index("commit ") < printed.index("generator.safetensors"), "what made it first"
    assert printed.index(f"publish   {first}") < printed.index(f"publish   {second}")
    facts = json.loads(shared.run("show", second[:6], "--json")[1])
    assert facts["release"] == second
    assert facts["reproducible"] is False  # its tree has no commit


def test_a_fetched_release_is_whole_and_verifies_again_in_its_folder(shared: Shared, tmp_path: Path) -> None:
    release = shared.release(0)
    target = tmp_path / "fetched" / release
    assert (
        shared.run("fetch", "latest", str(target))
        == (
            0,
            f"release {release}: 16 files, all verified, in {target}\n",
        )
        or target.exists()
    )
    check_release(target)
    renamed = target.rename(target.with_name("model"))
    code, printed = shared.run("verify", str(renamed))
    assert (code, printed.startswith(f"release {release}: all ")) == (0, True)
    renamed.rename(target)
    (target / "plots/samples.png").unlink()
    assert shared.run("verify", str(target))[0] == 1
    assert shared.run("fetch", "latest", str(target))[0] == 2


@pytest.mark.parametrize("path", ["generator.safetensors", "config.json", "manifest.json"])
def test_verify_finds_one_flipped_bit(shared: Shared, path: str) -> None:
    release = shared.release(0)
    assert shared.run("verify", "latest")[0] == 0
    shared.damage(release, path)
    code, printed = shared.run("verify", "latest")
    assert code == (2 if path == "manifest.json" else 1)
    assert f"{path} is damaged" in printed


def test_verify_finds_bytes_that_were_added(shared: Shared) -> None:
    key = f"releases/{shared.release(0)}/metrics/train.tsv"
    shared.store.write(key, (shared.store.read(key) or b"") + b"more")
    code, printed = shared.run("verify", "latest")
    assert code == 1
    assert "metrics/train.tsv is damaged" in printed


def test_verify_finds_a_missing_file_and_one_that_is_not_listed(shared: Shared) -> None:
    release = shared.release(0)
    shared.store.remove([f"releases/{release}/config.json"])
    shared.store.write(f"releases/{release}/extra.json", b"{}")
    code, printed = shared.run("verify", "latest")
    assert code == 1
    assert "config.json is missing" in printed
    assert "extra.json is not in the manifest" in printed


def test_a_damaged_release_is_not_fetched(shared: Shared, tmp_path: Path) -> None:
    shared.damage(shared.release(0), "generator.safetensors")
    code, printed = shared.run("fetch", "latest", str(tmp_path / "fetched"))
    assert code == 2
    assert "generator.safetensors is damaged: publish the release again" in printed
    assert not (tmp_path / "fetched").exists()


def test_a_disk_that_is_full_on_fetch_is_not_taken_for_the_store_s(
    shared: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    shared.release(0)
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        code, printed = shared.run("fetch", "latest", str(tmp_path / "fetched"))
    assert code == 2
    assert "free some space and run again" in printed
    assert not (tmp_path / "fetched").exists()
    assert shared.run("fetch", "latest", str(tmp_path / "fetched"))[0] == 0


def test_a_manifest_that_leads_out_of_its_folder_is_refused(shared: Shared, tmp_path: Path) -> None:
    release = shared.release(0)
    key = f"releases/{release}/manifest.json"
    manifest: dict[str, Any] = json.loads(shared.store.read(key) or b"")
    manifest["files"][0]["path"] = "../../outside.txt"
    shared.store.write(key, json.dumps(manifest).encode())
    assert shared.run("fetch", release, str(tmp_path / "fetched"))[0] == 2
    assert not list(tmp_path.rglob("outside.txt"))


def test_channels_are_rolled_back_step_by_step_and_the_log_only_grows(shared: Shared) -> None:
    first, second, third = (shared.release(seed) for seed in range(3))
    for release in (first, second, third):
        assert shared.run("promote", release, "production")[0] == 0
    for expected in (second, first):
        assert shared.run("rollback", "production")[0] == 0
        assert read_channel(shared.store, "production").release == expected
    code, printed = shared.run("rollback", "production")
    assert code == 2
    assert "channel production has no earlier release that is still in the store: `promote` points it to" in printed
    shared.run("promote", third, "production")
    shared.run("rollback", "production")
    channel = read_channel(shared.store, "production")
    assert channel.release == first
    assert [step["action"] for step in channel.history].count("rollback") == 3


def test_rolling_back_passes_over_a_release_that_is_gone_or_goes_to_the_one_named(shared: Shared) -> None:
    first, second, third = (shared.release(seed) for seed in range(3))
    for release in (first, second, third):
        shared.run("promote", release, "production")
    assert shared.run("delete", second)[0] == 0
    assert shared.run("rollback", "production")[1].startswith(f"channel production points to {first} again")
    shared.run("promote", third, "production")
    assert shared.run("rollback", "production", "--to", first)[0] == 0


def test_a_release_that_a_channel_points_to_is_deleted_only_by_force(shared: Shared) -> None:
    first, second = shared.release(0), shared.release(1)
    code, printed = shared.run("delete", "latest")
    assert code == 2
    assert f"{second} is in use by channel latest: " in printed
    assert shared.run("promote", second, "production")[0] == 0
    assert f"{second} is in use by channel latest, production: " in shared.run("delete", second)[1]
    assert shared.run("verify", second)[0] == 0
    code, printed = shared.run("delete", second, "--force")
    assert code == 0
    again = f"{second} published again would be its release again"
    assert f"channel production now points to nothing: promote another ({again})\n" in printed
    assert "channel latest points to" in shared.run("list")[1]
    assert shared.run("rollback", "latest")[0] == 0
    assert read_channel(shared.store, "latest").release == first
    assert not shared.store.entries(f"releases/{second}/")


def test_a_promotion_during_a_deletion_saves_the_release(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel moves after `delete` has looked for the first time."""
    first, _ = shared.release(0), shared.release(1)
    release = release_in(shared.store, first)
    remove, content_id = shared.store.remove, release.manifest().id

    def moved_meanwhile(keys: Any) -> None:
        monkeypatch.setattr(shared.store, "remove", remove)
        move(shared.store, read_channel(shared.store, "production"), content_id, "promote")
        remove(keys)

    monkeypatch.setattr(shared.store, "remove", moved_meanwhile)
    with refused("release-in-use", " meanwhile"):
        delete(shared.store, release, force=False)
    assert shared.run("verify", "production")[0] == 0


def test_a_promotion_of_what_is_being_deleted_is_taken_back(shared: Shared) -> None:
    first, second = shared.release(0), shared.release(1)
    content_id = release_in(shared.store, first).manifest().id
    shared.run("promote", second, "production")
    shared.store.remove([f"releases/{first}/manifest.json"])
    with refused("release-deleted"):
        promote(shared.store, "production", content_id)
    assert read_channel(shared.store, "production").release == second


@pytest.mark.parametrize("there", [True, False])
def test_of_eight_writers_that_race_one_wins_and_the_others_are_told(shared: Shared, there: bool) -> None:
    ids = [identify(gather(make_tree(shared.tree, seed=seed)))[0] for seed in range(8)]
    writers = [(open_store(shared.store.url), content_id) for content_id in ids]
    for attempt in range(3):
        if there:
            move(shared.store, read_channel(shared.store, f"try{attempt}"), "f" * 64, "promote")
        outcomes = raced(read_channel(shared.store, f"try{attempt}"), writers)
        won = [outcome for outcome in outcomes if isinstance(outcome, str)]
        assert len(outcomes) == 8
        assert won == [read_channel(shared.store, f"try{attempt}").history[-1]["id"]]
        refused = [str(outcome) for outcome in outcomes if not isinstance(outcome, str)]
        assert all(f"was moved to {won[0][:20]}" in sentence for sentence in refused)


def raced(channel: Channel, writers: list[tuple[Store, str]]) -> list[str | LostRaceError]:
    """Each id whose writer moved the channel, and what the other writers were told."""
    start = threading.Barrier(len(writers))

    def race(store: Store, content_id: str) -> str | LostRaceError:
        store.exclusion()
        start.wait()
        try:
            move(store, channel, content_id, "promote")
        except LostRaceError as error:
            return error
        return content_id

    with ThreadPoolExecutor(len(writers)) as pool:
        return list(pool.map(race, *zip(*writers, strict=True)))


def test_a_channel_in_a_folder_is_published_to_listed_and_rolled_back(shared: Shared) -> None:
    first = shared.release(0)
    shared.run("publish", "--channel", "examples/digits")
    second = shared.release(1)
    shared.run("promote", second, "examples/digits")
    listed = json.loads(shared.run("list", "--json")[1])
    assert listed["channels"] == {"examples/digits": second, "latest": second}
    assert shared.run("rollback", "examples/digits")[0] == 0
    assert read_channel(shared.store, "examples/digits").release == first


def test_a_promotion_that_expects_another_release_is_refused_with_its_own_exit_code(shared: Shared) -> None:
    first, second = shared.release(0), shared.release(1)
    shared.run("promote", first, "production")
    code, printed = shared.run("promote", second, "production", "--expect", second)
    assert code == TRY_AGAIN
    assert f"channel production was moved to {first}" in printed
    assert shared.run("promote", second, "production", "--expect", first)[0] == 0


def test_a_pointer_of_an_earlier_version_is_read_and_kept_in_the_history(shared: Shared) -> None:
    first = shared.release(0)
    content_id = release_in(shared.store, first).manifest().id
    shared.store.write("channels/latest.json", json.dumps({"release": first, "id": content_id}).encode())
    second = shared.release(1)
    assert [step["release"] for step in read_channel(shared.store, "latest").history] == [first, second]
    assert shared.run("rollback", "latest")[0] == 0


def test_a_file_beside_the_releases_and_a_console_s_empty_folder_are_no_releases(shared: Shared) -> None:
    release = shared.release(0)
    shared.store.write("releases/README.md", b"what lies here")
    if isinstance(shared.store, S3Store):
        for folder in ("releases/", f"releases/{release}/"):
            shared.store.write(folder, b"")
    for words in (["list"], ["show", release[:6]], ["verify", release], ["gc", "--older-than", "0"]):
        code, printed = shared.run(*words)
        assert code == 0, printed
    assert json.loads(shared.run("list", "--json")[1])["releases"][0]["release"] == release
    assert shared.store.read("releases/README.md") == b"what lies here"


@pytest.mark.parametrize("target", ["note/model", "m" * 250, "/proc/model"])
def test_a_folder_that_cannot_be_made_is_named_by_fetch(shared: Shared, tmp_path: Path, target: str) -> None:
    shared.release(0)
    (tmp_path / "note").write_text("a file")
    code, printed = shared.run("fetch", "latest", str(tmp_path / target))
    assert (code, "cannot be written to" in printed, "Traceback" in printed) == (2, True, False), printed


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["show", "nothing"], "has no channel or release 'nothing'"),
        (
            ["promote", "latset", "production"],
            "has no channel or release 'latset': did you mean 'latest'? `list` names",
        ),
        (["verify", "0000"], "has no channel or release '0000'"),
        (["promote", "5c5", "production"], "has no channel or release '5c5' (of an id give 4 digits or more)"),
        (["rollback", "production"], "there is no channel production"),
        (["publish", "--channel", "../x"], "is no name for a channel"),
        (["publish", "--channel", "a/b/c"], "is no name for a channel"),
        (["rollback", "Production"], "is no name for a channel"),
    ],
)
def test_what_is_not_there_is_named(shared: Shared, words: list[str], sentence: str) -> None:
    shared.release(0)
    code, printed = shared.run(*words)
    assert code == 2
    assert sentence in printed
    assert "Traceback" not in printed


def test_what_was_made_with_uncommitted_changes_is_refused_unless_forced_and_then_marked(shared: Shared) -> None:
    made = {"stage": "train", "git": {"commit": "0" * 40, "clean": False}}
    (shared.tree / "provenance/train.json").write_text(json.dumps(made))
    code, printed = shared.run("publish")
    assert code == 2
    assert "train ran with changes to the code that were not committed" in printed
    assert shared.run("publish", "--force")[0] == 0
    assert json.loads(shared.run("show", "latest", "--json")[1])["origin"]["code"] == {
        "recorded": "changed",
        "held": False,
    }


def test_a_clone_with_commit_data_params_and_packages_can_make_a_release_again(shared: Shared, tmp_path: Path) -> None:
    tree = shared.tree
    git(tree, "init", "-q")
    (tree / "requirements").mkdir()
    (tree / "requirements/constraints.txt").write_text("torch==2.13.0\n")
    git(tree, "add", "params.yaml", "requirements")
    git(tree, "commit", "-q", "-m", "code")
    commit = git(tree, "rev-parse", "HEAD")
    made = {"git": {"commit": commit, "clean": True}, "machine": {"device": "cpu"}}
    (tree / "provenance/train.json").write_text(json.dumps(made))
    (tree / "models/selected/provenance.json").write_text('{"data_fingerprint": "f00d"}')
    (tree / "data/normalized").mkdir(parents=True)
    (tree / "data/normalized/manifest.json").write_text('{"fingerprint": "f00d"}')
    shared.run("publish")
    code, printed = shared.run("verify", "latest", "--reproducible")
    assert code == 0
    assert "this clone can make it again" in printed
    (tree / "data/normalized/manifest.json").write_text('{"fingerprint": "beef"}')
    code, printed = shared.run("verify", "latest", "--reproducible")
    assert code == 1
    assert "data      NO   f00d: not in this clone" in printed
    os.chdir(tmp_path)  # the fixture goes back
    assert "commit    NO" in shared.run("verify", "latest")[1]


def test_every_command_has_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ["publish", "list", "show", "verify", "fetch", "promote", "rollback", "delete", "gc"]:
        monkeypatch.setattr(sys, "argv", ["releases", name, "--help"])
        with pytest.raises(SystemExit) as stop:
            main()
        assert stop.value.code == 0
        assert "--url" in capsys.readouterr().out
