"""The gallery: a store with some releases, its site built, and what a reader and a browser find in it."""

import json
import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from stages.common.errors import UserError, run_stage
from stages.common.files import read_json, write_json
from stages.gallery import pages
from stages.gallery.__main__ import main
from stages.releases.catalog import delete
from stages.releases.channels import promote
from stages.releases.manifest import release_in
from stages.stores import open_asked
from stages.stores.folder import FolderStore
from tests.refusals import refused
from tests.stages.gallery_sites import CARD, Gallery, broken_links, requests

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "שלום <b>עולם</b>",
    "</script><script>alert(2)</script>",
    "a\nb\r\nc",
    "{{ 7 * 7 }}",
]


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    return Gallery(tmp_path)


def test_a_page_says_how_good_a_release_is_beside_real_images_what_made_it_and_how_to_load_it(gallery: Gallery) -> None:
    release = gallery.publish(family="wgan", data="Shoes", curves=True)
    gallery.build()
    text = gallery.page_of(release).text
    assert "wgan on Shoes" in text
    assert "6.2 times what real images reach by chance" in text
    assert "real images: 0.523 (0.401 to 0.777)" in text
    assert f"model = mintage.load('{gallery.store.url}/releases/{release}')" in text
    assert "label='a'" in text
    assert "cc0-1.0" in text
    assert "0123456789abcdef0123456789abcdef01234567" in text
    labels = [given.get("aria-label") or "" for tag, given in gallery.page_of(release).found if tag == "svg"]
    assert any("Real images score 0.523" in label for label in labels), labels


def test_what_is_reached_without_a_model_stands_beside_its_figures(gallery: Gallery) -> None:
    alone = gallery.publish("noise")
    path = gallery.tree / "metrics/selection.json"
    write_json(path, read_json(path) | {"baseline": {"frechet_distance": 77.72}})
    release = gallery.publish("translator")
    gallery.build()
    assert re.search(r"9\.81\s*sources themselves: 77\.7", gallery.page_of(release).text)
    assert "sources themselves" not in gallery.page_of(alone).text


def test_all_links_lead_to_files_of_the_site_and_nothing_is_asked_of_any_host(gallery: Gallery) -> None:
    for channel in ("latest", "production", "team/production"):
        gallery.publish(channel, family=f"of {channel}", curves=channel == "latest")
    gallery.build()
    assert broken_links(gallery) == []
    assert requests(gallery) == []


def test_each_page_has_a_language_a_title_words_for_its_pictures_and_fits_a_phone(gallery: Gallery) -> None:
    gallery.publish()
    gallery.build()
    for path, elements in gallery.pages():
        tags = [tag for tag, _ in elements.found]
        assert ("html", {"lang": "en"}) in elements.found, path
        assert tags.count("h1") == tags.count("main") == 1, path
        assert all(given.get("alt") for tag, given in elements.found if tag == "img"), path
        assert any(given.get("name") == "viewport" for tag, given in elements.found if tag == "meta"), path
        boxed = sum((given.get("class") or "").startswith("scroll") for _, given in elements.found)
        assert tags.count("table") <= boxed, f"a table of {path} could be wider than a phone"
        labeled = [tag for tag in tags if tag in ("input", "select")]
        assert len(labeled) <= tags.count("label"), path


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_shown_as_text_and_nothing_more(gallery: Gallery, name: str) -> None:
    card = CARD.replace('"DATA"', json.dumps(name)) + name
    judged = {"sentence": f"Fair: {name}"}
    release = gallery.publish(family=name, card=card, classes=[name], verdict=judged, params={name: name})
    pointer = json.loads(gallery.store.read("channels/latest.json") or b"")
    pointer["history"][0] |= {"by": name, "at": name}
    gallery.store.write("channels/latest.json", json.dumps(pointer).encode())
    built = gallery.build(title=name)
    assert built.left_out == []
    assert broken_links(gallery) == []
    shown = " ".join(name.split())
    for path, elements in gallery.pages():
        scripts = [given for tag, given in elements.found if tag == "script"]
        assert all(given in ({}, {"type": "application/json", "id": "data"}) for given in scripts), path
        assert len(scripts) <= 2, path
        assert not any(key.startswith("on") for _, given in elements.found for key in given), path
        assert not any(tag == "b" for tag, _ in elements.found), path
    assert shown in gallery.page_of(release).text
    assert shown in gallery.page("channels/latest.html").text
    data = re.search(r'id="data">(.*?)</script>', (gallery.site / "compare.html").read_text(), re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["releases"][release]["title"] == f"{shown} on {shown}"


def test_the_policy_of_a_page_allows_its_own_script_alone(gallery: Gallery) -> None:
    release = gallery.publish()
    gallery.build()
    for name, allowed in (
        ("index.html", "script-src 'sha256-"),
        (f"releases/{release}/index.html", "script-src 'none'"),
    ):
        policy = [given["content"] for tag, given in gallery.page(name).found if given.get("http-equiv")]
        assert policy
        assert all("default-src 'none'" in (one or "") and allowed in (one or "") for one in policy)


def test_params_are_shown_without_what_signs_in(gallery: Gallery) -> None:
    release = gallery.publish(params={"url": "https://anna:hunter2@example.org/a?X-Amz-Signature=abc"})
    gallery.build()
    for path in gallery.site.rglob("*"):
        assert path.is_dir() or b"hunter2" not in path.read_bytes(), path
        assert path.is_dir() or b"X-Amz-Signature" not in path.read_bytes(), path
    assert "example.org" in gallery.page_of(release).text


class Counting(FolderStore):
    """A store that counts what is read of it."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.reads: list[str] = []

    def read(self, key: str) -> bytes | None:
        self.reads.append(key)
        return super().read(key)


def test_built_again_it_reads_and_writes_only_what_has_changed(gallery: Gallery) -> None:
    first = gallery.publish("one", family="gan")
    gallery.build()
    before = gallery.written()
    gallery.store = counting = Counting(gallery.store.url)
    assert gallery.build().written == 0
    assert gallery.written() == before
    assert [key for key in counting.reads if key.startswith("releases/")] == []
    second = gallery.publish("two", family="dcgan")
    counting.reads.clear()
    assert gallery.build().written == 1
    after = gallery.written()
    assert {name for name in before if after[name] != before[name]} == {"index.html", "compare.html"}
    assert {key.split("/")[1] for key in counting.reads if key.startswith("releases/")} == {second}
    assert first in (gallery.site / "index.html").read_text()


def test_a_channel_that_moves_is_seen_on_the_pages_of_both_releases(gallery: Gallery) -> None:
    first, second = gallery.publish(family="gan"), gallery.publish("other", family="dcgan")
    gallery.build()
    promote(gallery.store, "latest", release_in(gallery.store, second).manifest().id)
    assert gallery.build().written == 2
    assert "latest" not in gallery.page_of(first).text
    assert "latest" in gallery.page_of(second).text
    steps = [given["href"] for tag, given in gallery.page("channels/latest.html").found if tag == "a"]
    assert f"../compare.html#{first},{second}" in steps


def test_what_was_deleted_disappears_with_its_channel(gallery: Gallery) -> None:
    first, second = gallery.publish("old"), gallery.publish("new", family="gan")
    gallery.build()
    delete(gallery.store, release_in(gallery.store, first), force=True)
    gallery.store.remove(["channels/old.json"])
    built = gallery.build()
    assert (built.removed, built.releases, built.left_out) == (1, 1, [])
    assert [path.name for path in (gallery.site / "releases").iterdir()] == [second]
    assert not (gallery.site / "channels/old.html").exists()
    assert first not in "".join(path.read_text() for path, _ in gallery.pages())
    assert broken_links(gallery) == []


def change(gallery: Gallery, release: str, path: str, content: bytes) -> None:
    gallery.store.write(f"releases/{release}/{path}", content)


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("manifest.json", b"{", "manifest.json is damaged"),
        ("metrics/selection.json", b"{}", "metrics/selection.json is damaged: its SHA-256"),
        ("plots/samples.png", b"no picture", "plots/samples.png is damaged: its SHA-256"),
    ],
)
def test_a_damaged_release_is_named_and_left_out_and_the_rest_is_built(
    gallery: Gallery, path: str, content: bytes, reason: str
) -> None:
    whole, damaged = gallery.publish("one", family="gan"), gallery.publish("two", family="dcgan")
    kept = gallery.store.read(f"releases/{damaged}/{path}")
    assert kept is not None
    change(gallery, damaged, path, content)
    built = gallery.build()
    assert built.releases == 1
    assert len(built.left_out) == 1
    assert damaged in built.left_out[0]
    assert reason in built.left_out[0]
    assert reason in gallery.page().text
    assert (gallery.site / f"releases/{whole}/index.html").exists()
    assert broken_links(gallery) == []
    change(gallery, damaged, path, kept)
    assert gallery.build().left_out == []


@pytest.mark.parametrize("content", [b"not a picture", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_release_with_a_picture_that_is_none_is_left_out(gallery: Gallery, content: bytes) -> None:
    (gallery.tree / "plots/samples.png").write_bytes(content)
    gallery.publish()
    assert "plots/samples.png is not a sound PNG" in gallery.build().left_out[0]


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("metrics/train.tsv", b"images\tvalue\n1\t" + b"9" * 200_000 + b"\n", "metrics/train.tsv is no table"),
        ("metrics/train.tsv", b"images\tvalue\n1\t2\r3\n", "metrics/train.tsv is no table"),
        ("config.json", b'{"classes": 5}', "config.json: classes is 5, and no list of texts"),
        ("config.json", b'{"source_shape": 7}', "config.json: source_shape is 7, and no list of whole numbers"),
        ("config.json", b'{"classes": ["\\ud800"], "generator_conditioning": "concat"}', None),
        ("provenance.json", b'{"medium": 5}', None),
    ],
)
def test_a_release_of_odd_facts_takes_no_other_with_it(
    gallery: Gallery, path: str, content: bytes, said: str | None
) -> None:
    whole = gallery.publish("one", family="gan")
    odd = gallery.publish("two", files={path: content})
    built = gallery.build()
    assert built.releases == (2 if said is None else 1)
    assert (gallery.site / "releases" / whole / "index.html").is_file()
    assert (gallery.site / "releases" / odd).exists() == (said is None)
    assert not built.left_out if said is None else said in built.left_out[0]


def test_a_folder_of_the_store_that_is_no_release_of_ours_is_left_out(gallery: Gallery) -> None:
    release = gallery.publish()
    shutil.copytree(gallery.store.root / "releases" / release, gallery.store.root / "releases" / "mine")
    built = gallery.build()
    assert built.releases == 1
    assert "release mine: this is no name of a release" in built.left_out[0]


def test_a_damaged_channel_is_named_and_the_rest_is_built(gallery: Gallery) -> None:
    gallery.publish("one")
    gallery.store.write("channels/two.json", b"{")
    built = gallery.build()
    assert (built.releases, built.channels) == (1, 1)
    assert "channel two" in built.left_out[0]


def test_a_build_that_is_killed_leaves_the_site_that_was_there_and_the_next_ends_it(gallery: Gallery) -> None:
    gallery.publish("one")
    gallery.build()
    before = {name: (gallery.site / name).read_bytes() for name in gallery.written()}
    for family in ("gan", "dcgan", "wgan"):
        gallery.publish("two", family=family)
    process = os.fork()
    if process == 0:
        render, count = pages.release_page, iter(range(9))

        def killed(*arguments: Any) -> str:
            if next(count) == 2:
                os.kill(os.getpid(), 9)
            return render(*arguments)

        vars(pages)["release_page"] = killed
        gallery.build()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == -9
    assert {name: (gallery.site / name).read_bytes() for name in before} == before
    assert broken_links(gallery) == []
    built = gallery.build()
    assert (built.releases, built.written) == (4, 1)
    assert broken_links(gallery) == []


def test_a_folder_that_holds_something_else_is_refused_untouched(gallery: Gallery) -> None:
    gallery.publish()
    gallery.site.mkdir()
    (gallery.site / "diary.txt").write_text("mine")
    with refused("gallery-folder-taken", str(gallery.site)):
        gallery.build()
    assert [path.name for path in gallery.site.iterdir()] == ["diary.txt"]


def test_two_builds_do_not_work_in_one_folder(gallery: Gallery, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery.publish()
    gallery.build()
    render = pages.index_page

    def again(*arguments: Any) -> str:
        with refused("gallery-busy"):
            gallery.build()
        return render(*arguments)

    monkeypatch.setattr(pages, "index_page", again)
    gallery.build()


def test_the_command_builds_a_site_and_says_where_it_is(
    gallery: Gallery, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gallery.publish("one")
    damaged = gallery.publish("two", family="gan")
    change(gallery, damaged, "metrics/selection.json", b"{}")
    words = ["--url", gallery.store.url, "--out", str(gallery.site), "--title", "Ours"]
    monkeypatch.setattr(sys, "argv", ["gallery", *words])
    run_stage(main)
    printed = capsys.readouterr()
    assert "1 release (1 read and written, 0 removed), 2 channels" in printed.out
    assert f"left out: release {damaged}" in printed.err
    assert "Ours" in gallery.page().text


@pytest.mark.parametrize("url", ["s3://bu:cket", "s3://bucket/a//b", "file://host/folder"])
def test_an_address_that_is_typed_is_not_looked_for_in_params(url: str) -> None:
    with pytest.raises(UserError) as found:
        open_asked(url)
    assert "the command" in str(found.value)
    assert "upload.url" not in str(found.value)
