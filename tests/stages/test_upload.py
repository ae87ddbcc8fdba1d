import hashlib
import json
import multiprocessing
import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stages.releases.content import gather, identify
from stages.releases.publish import publish
from stages.stores import File, open_store
from stages.stores.folder import FolderStore
from stages.upload import main
from tests.programs import python
from tests.refusals import refused
from tests.stages.release_trees import REPO, check_release, make_tree, set_url

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPO)}
UPLOAD = [sys.executable, "-m", "stages.upload"]


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = make_tree(tmp_path / "tree")
    monkeypatch.chdir(root)
    return root


def receipt(tree: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((tree / "published.json").read_text())
    return found


def released(tree: Path) -> Path:
    return tree / "published" / "releases" / str(receipt(tree)["release"])


def test_a_release_holds_every_file_with_its_hash_and_latest_points_to_it(tree: Path) -> None:
    main()
    manifest = check_release(released(tree))
    names = [entry["path"] for entry in manifest["files"]]
    assert names == sorted(names)
    assert {"generator.safetensors", "config.json", "README.md", "provenance.json", "params.yaml"} <= set(names)
    assert {"samples/part-00000.parquet", "metrics/train.tsv", "plots/training/images-000000001.png"} <= set(names)
    assert {"reports/index.html", "reports/validation.json", "provenance/train.json"} <= set(names)
    assert receipt(tree) == {
        "release": manifest["id"][:20],
        "url": f"file:published/releases/{manifest['id'][:20]}",
        "latest": "file:published/channels/latest.json",
        "files": len(names),
        "bytes": sum(entry["size"] for entry in manifest["files"]),
        "data": {"images": 3},
    }
    latest = json.loads((tree / "published/channels/latest.json").read_text())
    assert (latest["release"], latest["id"]) == (receipt(tree)["release"], manifest["id"])
    assert [step["release"] for step in latest["history"]] == [receipt(tree)["release"]]


def test_repeating_an_upload_sends_nothing(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main()
    before = {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (tree / "published").rglob("*") if p.suffix}
    first = (tree / "published.json").read_bytes()
    capsys.readouterr()
    main()
    assert "nothing to send" in capsys.readouterr().out
    assert {p: (p.stat().st_ino, p.stat().st_mtime_ns) for p in (tree / "published").rglob("*") if p.suffix} == before
    assert (tree / "published.json").read_bytes() == first


def test_the_id_depends_on_the_content_and_not_on_place_time_or_destination(tree: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(tree, tmp_path / "elsewhere", copy_function=shutil.copyfile))
    set_url(other, "file:/somewhere/else")
    text = (other / "params.yaml").read_text()
    (other / "params.yaml").write_text("# a comment more\n" + text)
    assert identify(gather(other))[0] == identify(gather(tree))[0]
    (other / "params.yaml").write_text(text.replace("count: 1000", "count: 1001"))
    assert identify(gather(other))[0] != identify(gather(tree))[0]


@given(st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=5), st.data())
def test_any_changed_bit_or_name_gives_another_id(contents: list[bytes], data: st.DataObject) -> None:
    files = [File.from_source(f"file-{i}", content) for i, content in enumerate(contents)]
    index = data.draw(st.integers(0, len(contents) - 1))
    bit = data.draw(st.integers(0, 8 * len(contents[index]) - 1))
    flipped = bytearray(contents[index])
    flipped[bit // 8] ^= 1 << bit % 8
    changed = [File.from_source(f.path, bytes(flipped)) if i == index else f for i, f in enumerate(files)]
    renamed = [File.from_source(f"{f.path}x", contents[i]) if i == index else f for i, f in enumerate(files)]
    assert len({identify(files)[0], identify(changed)[0], identify(renamed)[0]}) == 3


def test_another_model_is_another_release_and_the_first_one_stays(tree: Path) -> None:
    main()
    first = released(tree)
    make_tree(tree, seed=1)
    main()
    assert released(tree) != first
    check_release(first)
    check_release(released(tree))


def test_going_back_to_an_earlier_release_moves_only_the_pointer(tree: Path) -> None:
    store = open_store("file:published")
    main()
    early = receipt(tree)
    make_tree(tree, seed=1)
    main()
    make_tree(tree, seed=0)
    again, sent = publish(store, gather())
    assert (again | {"data": early["data"]}, sent) == (early, [])
    assert json.loads((tree / "published/channels/latest.json").read_text())["release"] == early["release"]


def test_a_release_that_was_damaged_in_the_store_is_made_whole(tree: Path) -> None:
    main()
    weights = released(tree) / "generator.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    (released(tree) / "config.json").unlink()
    main()
    check_release(released(tree))


KILLS = 50 if os.environ.get("MINTAGE_THOROUGH") else 20


def test_a_publisher_killed_at_any_moment_leaves_no_half_release_and_the_next_one_finishes(
    tmp_path: Path,
) -> None:
    tree, store = make_tree(tmp_path / "tree", megabytes=20, pictures=60), tmp_path / "store"
    moments, files, before = random.Random(0), gather(tree), contents(tree)
    start = time.monotonic()
    publish(open_store(f"file:{tmp_path}/timed"), files)
    duration = time.monotonic() - start
    halves = kills = 0
    while kills < KILLS or (halves < 5 and kills < 500):  # a busy machine may be slower than when it was timed
        kills += 1
        publisher = multiprocessing.get_context("fork").Process(
            target=publish, args=(open_store(f"file:{store}"), files)
        )
        publisher.start()
        time.sleep(moments.uniform(0, duration))
        publisher.kill()
        publisher.join()
        halves += bool(list(store.glob("releases/.*.partial")))
        for visible in store.glob("releases/[!.]*"):
            check_release(visible)
            shutil.rmtree(visible)
    assert halves >= 5
    assert contents(tree) == before
    publish(open_store(f"file:{store}"), files)
    assert [check_release(path)["id"] for path in (store / "releases").iterdir()] == [identify(files)[0]]


def contents(tree: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in tree.rglob("*") if path.is_file()}


def test_a_publisher_goes_on_where_a_killed_one_was(tree: Path) -> None:
    store, files = FolderStore("file:published"), gather()

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    sent: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        store.add("releases/x", files, lambda count: sent.append(count) if len(sent) < 5 else stop(count))
    assert len(store.missing("releases/x", files)) <= len(files) - 5


def test_publishers_at_the_same_time_do_not_disturb_each_other(tmp_path: Path) -> None:
    trees = [make_tree(tmp_path / f"tree-{i}", megabytes=3, seed=i // 2) for i in range(4)]
    for tree in trees:
        set_url(tree, f"file:{tmp_path}/shared")
    running = [subprocess.Popen(UPLOAD, cwd=tree, env=ENVIRONMENT, stderr=subprocess.DEVNULL) for tree in trees]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    assert len([check_release(path) for path in (tmp_path / "shared/releases").iterdir()]) == 2


def test_a_full_disk_stops_with_a_sentence_and_leaves_what_was_published(tree: Path) -> None:
    main()
    before, earlier = released(tree), (tree / "published.json").read_bytes()
    make_tree(tree, megabytes=3, seed=1)
    done = python("-m", "stages.upload", folder=tree, largest_file=1_000_000)
    assert done.returncode == 2
    assert "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in (tree / "published/releases").glob("[!.]*")] == [before.name]
    check_release(before)
    assert (tree / "published.json").read_bytes() == earlier


def test_a_store_that_is_no_folder_is_refused_by_name(tree: Path) -> None:
    (tree / "occupied").write_text("a file")
    set_url(tree, "file:occupied")
    with refused("store-not-writable", "cannot use occupied as the store (", ")", "upload.url"):
        main()


def test_a_file_that_changes_during_the_upload_is_noticed_and_nothing_is_published(tree: Path) -> None:
    store, files = FolderStore("file:published"), gather()
    later = tree / "samples/part-00000.parquet"

    def change(_: int) -> None:
        later.write_bytes(b"other")

    with refused("output-changed-meanwhile", "samples/part-00000.parquet changed while"):
        store.add("releases/x", files, change)
    assert list((tree / "published/releases").glob("[!.]*")) == []


def test_a_file_that_vanishes_during_the_upload_is_noticed(tree: Path) -> None:
    store, files = FolderStore("file:published"), gather()
    with refused("output-changed-meanwhile", "samples/part-00000.parquet changed while"):
        store.add("releases/x", files, lambda _: (tree / "samples/part-00000.parquet").unlink(missing_ok=True))


def test_a_link_out_of_the_tree_is_not_followed(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "private.txt").write_text("a secret of this machine")
    (tree / "metrics/extra.json").symlink_to(tmp_path / "private.txt")
    with refused("file-behind-link", "metrics/extra.json is behind a link, which is not followed"):
        main()
    assert not (tree / "published").exists()


def test_a_folder_that_is_a_link_out_of_the_tree_is_not_followed(tree: Path, tmp_path: Path) -> None:
    shutil.move(tree / "samples", tmp_path / "outside")
    (tree / "samples").symlink_to(tmp_path / "outside")
    with refused("file-behind-link", "samples/part-00000.parquet is behind a link"):
        main()


def test_a_link_to_another_file_of_the_tree_is_not_followed(tree: Path) -> None:
    (tree / ".env").write_text("PASSWORD=planted")
    (tree / "metrics/extra.json").symlink_to("../.env")
    with refused("file-behind-link", "metrics/extra.json is behind a link"):
        main()


@pytest.mark.parametrize("cache", [".dvc/cache", "../disk"])
def test_a_link_into_the_cache_of_dvc_is_followed_wherever_that_is(tree: Path, cache: str) -> None:
    plain, weights = identify(gather())[0], tree / "models/selected/generator.safetensors"
    md5 = hashlib.md5(weights.read_bytes(), usedforsecurity=False).hexdigest()
    cached = tree / cache / "files/md5" / md5[:2] / md5[2:]
    cached.parent.mkdir(parents=True)
    shutil.move(weights, cached)
    weights.symlink_to(cached)
    assert identify(gather())[0] == plain


def test_a_link_to_what_only_looks_like_a_file_of_a_cache_is_not_followed(tree: Path, tmp_path: Path) -> None:
    other = tmp_path / "disk/files/md5/ab" / ("c" * 30)
    other.parent.mkdir(parents=True)
    other.write_text("a secret of this machine")
    (tree / "metrics/extra.json").symlink_to(other)
    with refused("file-behind-link", "metrics/extra.json is behind a link"):
        main()


@pytest.mark.parametrize(
    ("target", "code"),
    [("loop.json", "link-broken"), ("nothing.json", "output-missing"), ("../plots", "file-behind-link")],
)
def test_a_link_to_itself_to_nothing_or_to_a_folder_is_refused_by_name(tree: Path, target: str, code: str) -> None:
    (tree / "metrics/loop.json").symlink_to(target)
    with refused(code, "metrics/loop.json"):
        main()


def test_a_pipe_among_the_inputs_is_refused_and_not_read(tree: Path) -> None:
    os.mkfifo(tree / "plots/pipe.png")
    with refused("file-not-regular", "plots/pipe.png is not a regular file"):
        main()


def test_hidden_files_are_left_out(tree: Path) -> None:
    plain = identify(gather())[0]
    (tree / "metrics/.gitignore").write_text("/train.tsv\n")
    (tree / "plots/.samples.png.partial").write_bytes(b"half")
    assert identify(gather())[0] == plain


@pytest.mark.parametrize("name", ["manifest.json", "params.yaml"])
def test_two_files_of_one_name_are_refused(tree: Path, name: str) -> None:
    (tree / "models/selected" / name).write_text("{}")
    with refused("release-names-clash", name):
        main()


@pytest.mark.parametrize("name", ["models/selected", "samples", "plots", "provenance", "reports/index.html"])
def test_a_missing_input_is_named_with_what_makes_it(tree: Path, name: str) -> None:
    shutil.move(name, tree / "away")
    with refused("output-missing", f"{name} is missing: `mintage run` makes it"):
        main()
    assert not (tree / "published.json").exists()


def test_an_empty_folder_is_refused(tree: Path) -> None:
    (tree / "samples/part-00000.parquet").unlink()
    with refused("output-missing"):
        main()


@pytest.mark.parametrize(
    ("url", "folder"),
    [
        ("file:published", "published"),
        ("file:deep/down/", "deep/down"),
        ("file:///srv/models", "/srv/models"),
        ("file:/srv/models", "/srv/models"),
        ("file://localhost/srv/models", "/srv/models"),
        ("file:with%20space", "with space"),
        ("file:odd#name", "odd#name"),
    ],
)
def test_a_file_url_names_a_folder_relative_or_absolute(url: str, folder: str) -> None:
    assert FolderStore(url).root == Path(folder)


@pytest.mark.parametrize("url", ["file://host/share", "file://models", "file://"])
def test_a_file_url_of_another_host_is_refused(url: str) -> None:
    with refused("store-url-invalid"):
        FolderStore(url)


def test_a_store_inside_what_is_published_is_refused(tree: Path) -> None:
    set_url(tree, "file:samples/published")
    with refused("store-inside-outputs", "upload.url is inside samples"):
        main()


def test_a_damaged_lock_file_is_refused(tree: Path) -> None:
    (tree / "dvc.lock").write_text("schema: '2.0'\nstages: [")
    with refused("lock-file-damaged", "dvc.lock is not a lock file of DVC"):
        main()


PIPELINE = """
stages:
  make: {cmd: cp -r kept/. ., deps: [kept], outs: [samples, models/selected, metrics, plots, reports, provenance]}
  upload:
    cmd: python -m stages.upload
    params: [upload]
    deps: [samples, models/selected, metrics, plots, reports, provenance]
    outs: [{published.json: {persist: true}}]
"""


def test_dvc_forced_to_upload_again_sends_nothing_and_going_back_moves_latest(tmp_path: Path) -> None:
    tree, environment = tmp_path / "tree", {**ENVIRONMENT, "DVC_NO_ANALYTICS": "true"}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    make_tree(tree / "kept")
    shutil.move(tree / "kept/params.yaml", tree)
    (tree / "dvc.yaml").write_text(PIPELINE)
    (tree / ".dvcignore").write_text("published\n")

    def dvc(*arguments: str) -> str:
        command = [sys.executable, "-m", "dvc", *arguments]
        return subprocess.run(command, cwd=tree, env=environment, check=True, capture_output=True, text=True).stdout

    dvc("init", "--no-scm", "--quiet")
    dvc("repro")
    first = receipt(tree)
    lock = json.loads((released(tree) / "lock.json").read_text())["stages"]
    assert list(lock) == ["make"]
    assert {"deps", "outs"} <= set(lock["make"])
    assert "nothing to send" in dvc("repro", "--force", "--single-item", "upload")
    assert receipt(tree) == first
    assert len(list((tree / "published/releases").iterdir())) == 1

    metric = tree / "kept/metrics/selection.json"
    original = metric.read_bytes()
    metric.write_text("{}")
    dvc("repro")
    assert receipt(tree) != first
    metric.write_bytes(original)
    dvc("repro")
    assert receipt(tree) == first
    assert json.loads((tree / "published/channels/latest.json").read_text())["release"] == first["release"]
