"""What is refused before anything runs: sources that DVC would stumble over or wait at, stores that cannot be used."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dask
import pytest

from stages.check import check, main, outputs
from stages.common.params import Params, load_params
from stages.common.plausible import too_many_threads
from tests.refusals import refused
from tests.stages.source_files import write_tree

ROOT = Path(__file__).parents[2]
MADE = outputs(ROOT / "dvc.yaml")


@pytest.fixture(autouse=True)
def _in_a_clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with the source's place, and some outputs of an earlier run."""
    monkeypatch.chdir(tmp_path)
    for folder in ("data/source", "data/raw", "models/selected", "photos"):
        Path(folder).mkdir(parents=True)
    Path("photos/one.png").write_bytes(b"png")


def params(url: str = "file:published", **ingest: Any) -> Params:
    """The repository's params with changes in `ingest` and another `upload.url`."""
    values = load_params(ROOT / "params.yaml").model_dump(by_alias=True)
    values["ingest"] |= ingest
    values["upload"]["url"] = url
    values["validate"] |= {"min_images": 2, "min_class_images": 1}
    return Params.model_validate(values)


def changed(known: Params, section: str, **values: Any) -> Params:
    """Params with other values in a section."""
    return known.model_copy(update={section: getattr(known, section).model_copy(update=values)})


def refusal(checked: Params) -> str:
    with refused("params-do-not-fit") as found:
        check(checked, MADE)
    return str(found.value)


def test_the_repository_s_own_params_pass() -> None:
    check(params(), MADE)


def test_every_kind_of_output_of_the_graph_is_known() -> None:
    assert {Path("data/raw"), Path("metrics/selection.json"), Path("plots/training"), Path("published.json")} <= {*MADE}


@pytest.mark.parametrize("path", ["photos", "photos/one.parquet", "../outside"])
def test_a_folder_or_a_file_of_ones_own_passes(path: str) -> None:
    Path("../outside").mkdir(exist_ok=True)
    Path("photos/one.parquet").touch()
    check(params(source="parquet", path=path), MADE)


@pytest.mark.tried(
    "`make run` of a folder of images without classes, with the family as it is, before anything runs",
    "params.yaml: train.family = 'cgan' learns from labels, and this data has no labels: set train.family to infogan, "
    "which needs none",
)
@pytest.mark.parametrize("source", ["folder", "archive"])
def test_names_of_files_are_compared_with_the_family_before_anything_runs(
    read: Callable[[str], None], source: str
) -> None:
    for classes, kind in ((["a", "b"], "two"), ([""], "none")):
        write_tree(Path(kind), dict.fromkeys(classes, 8))
        shutil.make_archive(kind, "zip", kind)
    end = "" if source == "folder" else ".zip"
    check(params(source=source, path=f"two{end}"), MADE)
    read(refusal(params(source=source, path=f"none{end}")))
    read(refusal(params(source=source, path=f"two{end}", labels=False)))
    Path("labels.csv").write_text("key,class\n" + "".join(f"00{at}.png,{'ab'[at % 2]}\n" for at in range(8)))
    check(params(source=source, path=f"none{end}", labels="labels.csv"), MADE)


def test_a_class_with_too_few_images_for_both_splits_is_told_by_its_name() -> None:
    write_tree(Path("some"), {"many": 5, "lone": 1})
    said = refusal(params(source="folder", path="some"))
    assert "'some' has 1 class with fewer than 2 images, and validate" in said
    assert "in either split: 'lone' (1): add images, remove the class, or set ingest.labels to false" in said


def test_a_sound_that_no_installed_package_reads_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.common.readers.find_spec", lambda name: None)
    for name in ("one", "two", "three"):
        Path(f"data/source/{name}.mp3").write_bytes(b"ID3")
    assert "is not installed: run `pip install" in refusal(params(source="sounds", labels=False))


@pytest.mark.tried(
    "images in data/source, and `ingest.source` as it is",
    "note: data/source holds 2 files, and ingest.source = 'digits' does not read them: set ingest.source to folder, "
    "if they are your data",
)
def test_data_that_the_source_does_not_read_are_a_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], read: Callable[[str], None]
) -> None:
    Path("data/source/README.md").touch()
    shutil.copy(ROOT / "dvc.yaml", ".")
    monkeypatch.setattr("stages.check.load_params", params)
    main()
    assert "data/source" not in capsys.readouterr().err
    write_tree(Path("data/source"), {"": 2})
    main()
    read(capsys.readouterr().err)


@pytest.mark.tried(
    "`ingest.source: folder` with the path of a tar",
    "params.yaml: ingest.path = '...tar' is a file, no folder: source 'archive' reads what is there: set ingest.source "
    "to archive",
)
def test_a_source_that_cannot_read_what_is_there_is_told_the_one_that_can(read: Callable[[str], None]) -> None:
    write_tree(Path("two"), {"a": 2, "b": 2})
    shutil.make_archive("two", "tar", "two")
    read(refusal(params(source="folder", path="two.tar")))
    assert "set ingest.source to folder" in refusal(params(source="archive", path="two"))
    check(params(source="archive", path="two.tar"), MADE)


@pytest.mark.tried(
    "`ingest.path` of a folder that is not there",
    "params.yaml: ingest.path = 'nowhere' is missing (source 'folder' reads it): make it, or name a folder that is "
    "there, such as data/source",
)
def test_a_missing_path_is_refused_and_told_whether_the_source_reads_it(read: Callable[[str], None]) -> None:
    read(refusal(params(source="folder", path="nowhere")))
    assert "is missing (it is watched though not read)" in refusal(params(path="nowhere"))
    assert "is missing (it is watched though not read)" in refusal(
        params(source="idx", options={"download": "mnist"}, path="nowhere")
    )


@pytest.mark.tried(
    "`data.runner: dask` without DASK_SCHEDULER_ADDRESS, before anything runs",
    "params.yaml: data.runner = 'dask' needs a cluster: set DASK_SCHEDULER_ADDRESS to its scheduler, such as "
    "tcp://HOST:8786",
)
def test_a_cluster_without_an_address_is_told_before_anything_runs(read: Callable[[str], None]) -> None:
    known = params()
    asked = changed(known, "data", runner="dask")
    read(refusal(asked))
    with dask.config.set({"scheduler-address": "tcp://127.0.0.1:1"}):
        check(asked, MADE)


@pytest.mark.tried(
    "`ingest.source: folders`",
    "params.yaml: ingest.source = 'folders': did you mean 'folder'? It is not one of digits, idx, ...",
)
@pytest.mark.tried(
    "a slip in ingest.options, and a folder that is not there: both are told",
    "ingest.options.point = 3 is not a known key: did you mean 'points'?; "
    "params.yaml: ingest.path = 'nowhere' is missing",
)
def test_an_unknown_source_or_option_is_refused_with_the_nearest_name(read: Callable[[str], None]) -> None:
    read(refusal(params(source="folders")))
    read(refusal(params(source="ring", options={"point": 3}, path="nowhere")))


@pytest.mark.tried(
    "`mintage check` of fewer pictures in a folder than the gate lets pass",
    "params.yaml: ingest.path = 'few' has 6 images, and validate.min_images asks for 7 to train on, beside those that "
    "are held out: add images, or set it lower",
)
def test_fewer_images_than_the_gate_asks_for_are_told_by_their_names(read: Callable[[str], None]) -> None:
    write_tree(Path("few"), {"a": 3, "b": 3})
    asked = params(source="folder", path="few")
    check(asked, MADE)
    read(refusal(changed(asked, "validate_", min_images=7)))


@pytest.mark.tried(
    "`mintage check` of so small a `normalize.holdout` that no image, or one, is held out",
    "params.yaml: ingest.path = 'few' has 9 images, of which normalize.holdout = 0.01 holds out 1, and figures need 2 "
    "or more: set it higher",
)
def test_fewer_held_out_images_than_figures_need_are_told(read: Callable[[str], None]) -> None:
    asked = changed(params(source="folder", path="few"), "normalize", holdout=0.01)
    asked = changed(asked, "train", family="dcgan")
    write_tree(Path("few"), {"": 9})
    read(refusal(asked))
    for classes in ({"a": 5, "b": 4}, {"train": 8, "test": 1}):
        shutil.rmtree("few")
        write_tree(Path("few"), classes)
        check(asked, MADE)


@pytest.mark.tried(
    "`mintage check` of a `normalize.holdout` that leaves too few images of a class to hold out, or to train on",
    "params.yaml: normalize.holdout = 0.0001 holds out fewer than 2 images of 2 classes in 'few', and validate."
    "min_class_images asks for 2 in either split: 'a' (1 of 6), 'b' (1 of 5): set normalize.holdout higher",
)
def test_a_share_that_leaves_too_few_images_of_a_class_in_either_split_is_told(read: Callable[[str], None]) -> None:
    write_tree(Path("few"), {"a": 6, "b": 5})
    asked = changed(params(source="folder", path="few"), "validate_", min_class_images=2)
    check(changed(asked, "normalize", holdout=0.4), MADE)
    read(refusal(changed(asked, "normalize", holdout=0.0001)))
    said = refusal(changed(asked, "normalize", holdout=0.9))
    assert "trains on fewer than 2 images of 2 classes" in said
    assert "'b' (1 of 5): set normalize.holdout lower" in said


@pytest.mark.tried(
    "`evaluator.learning_rate: 100`",
    "params.yaml: evaluator.learning_rate = 100 never trains: set it to 0.001 or so, and to 1 at most",
)
def test_a_learning_rate_by_which_nothing_is_learned_is_refused(read: Callable[[str], None]) -> None:
    read(refusal(changed(params(), "evaluator", learning_rate=100.0)))
    recipe = {"discriminator": {"learning_rate": 2.0}, "generator": {"learning_rate": 2.0, "optimizer": "sgd"}}
    said = refusal(changed(params(), "train", recipe=recipe))
    assert "train.recipe.discriminator.learning_rate = 2 never" in said
    assert "train.recipe.generator.learning_rate" not in said


def test_more_threads_than_cores_can_serve_are_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    asked = {threads: list(too_many_threads(changed(params(), "train", threads=threads))) for threads in (None, 8, 9)}
    assert (asked[None], asked[8]) == ([], [])
    assert asked[9][0].startswith(
        "train.threads = 9 makes them wait for each other on a machine of 2 cores: set it to 2"
    )


@pytest.mark.parametrize(
    ("named", "setting"),
    [
        pytest.param({"labels": "about.csv"}, "ingest.labels", id="labels"),
        pytest.param({"groups": {"file": "about.csv", "column": "who"}}, "ingest.groups.file", id="groups"),
        pytest.param(
            {"attributes": {"file": "about.csv", "columns": "all"}}, "ingest.attributes.file", id="attributes"
        ),
    ],
)
def test_a_table_that_is_not_there_is_refused_and_found_beside_the_images(named: dict[str, Any], setting: str) -> None:
    asked = params(source="parquet", path="photos", **named)
    asked = changed(asked, "train", family="dcgan")  # fits any of these
    assert refusal(asked).startswith(f"params.yaml: {setting} = 'about.csv' is not in photos, nor in this folder")
    Path("photos/about.csv").touch()
    check(asked, MADE)


def test_options_are_left_to_the_stage_where_the_source_s_packages_are_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "stages.sources.glyphs", None)
    check(params(source="glyphs", options={"image": 3}), MADE)


def test_a_blank_path_is_refused() -> None:
    assert "is empty: name the folder with your images" in refusal(params(path=" "))


@pytest.mark.tried(
    "`ingest.path` of a folder in which the pipeline writes",
    "params.yaml: ingest.path = '...' overlaps with ..., which the pipeline writes: keep your images in a folder of "
    "their own",
)
@pytest.mark.parametrize("path", [".", "data", "data/raw", "models", "models/selected", "link"])
def test_a_path_that_overlaps_with_what_the_pipeline_writes_is_refused(read: Callable[[str], None], path: str) -> None:
    Path("link").symlink_to("data")
    read(refusal(params(source="folder", path=path)))


def loop() -> None:
    Path("photos/a").symlink_to("b")
    Path("photos/b").symlink_to("a")


UNFIT: dict[str, tuple[Callable[[], None], str]] = {
    "a loop of links": (loop, "cannot be read (Too many levels of symbolic links)"),
    "a link to nothing": (lambda: Path("photos/x").symlink_to("gone"), "cannot be read (No such file or directory)"),
    "a pipe": (lambda: os.mkfifo("photos/x"), "is no file (a pipe, a socket or a device)"),
    "a device": (lambda: Path("photos/x").symlink_to("/dev/zero"), "is no file (a pipe, a socket or a device)"),
}


@pytest.mark.parametrize("what", UNFIT)
def test_what_is_no_file_and_no_folder_is_refused_by_name_in_finite_time(what: str) -> None:
    make, words = UNFIT[what]
    make()
    sentence = refusal(params(source="folder", path="photos"))
    assert words in sentence
    assert "photos/" in sentence


def test_a_link_back_to_its_own_folder_ends_and_is_refused() -> None:
    Path("photos/self").symlink_to(".")
    assert "photos/self leads back to photos (a loop of links" in refusal(params(source="folder", path="photos"))


@pytest.mark.tried(
    "`ingest.path` of a link to itself",
    "params.yaml: ingest.path = 'a': 'a' cannot be read (Too many levels of symbolic links): mend or remove it",
)
def test_a_path_that_is_itself_a_loop_of_links_is_refused(read: Callable[[str], None]) -> None:
    Path("a").symlink_to("b")
    Path("b").symlink_to("a")
    read(refusal(params(source="folder", path="a")))


@pytest.mark.parametrize("url", ["file:published", "file:deep/er/folder", "s3://bucket", "s3://bucket/some/prefix"])
def test_a_store_that_can_be_used_passes(url: str) -> None:
    check(params(url), MADE)


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("s3://bu:cket", "bucket-name-invalid"),
        ("s3://bucket/a//b", "bucket-prefix-invalid"),
        ("file://host/folder", "store-url-invalid"),
    ],
)
def test_an_upload_url_of_a_form_that_the_store_refuses_is_refused(url: str, code: str) -> None:
    with refused(code, "upload.url"):
        check(params(url), MADE)


@pytest.mark.parametrize("url", ["file:photos/one.png", "file:photos/one.png/deeper", "file:/proc/x"])
def test_a_folder_to_publish_to_that_cannot_be_made_is_refused(url: str) -> None:
    assert f"upload.url = '{url}': " in refusal(params(url))


@pytest.mark.tried(
    "`upload.url` of the folder of images",
    "params.yaml: upload.url and ingest.path overlap: releases would be taken for images; keep them in folders apart",
)
@pytest.mark.parametrize("url", ["file:photos", "file:photos/published", "file:."])
def test_publishing_among_the_images_is_refused(read: Callable[[str], None], url: str) -> None:
    read(refusal(params(url, source="folder", path="photos")))


@pytest.mark.tried(
    "`train.first: published/channels/latest`, with `upload.url: file:published`",
    "params.yaml: train.first = 'published/channels/latest' is the channel that upload moves to what is made of it, "
    "and the next training would stand on that: name a release, or promote this one to a channel of its own",
)
def test_a_first_stage_in_the_channel_that_upload_moves_is_refused(read: Callable[[str], None]) -> None:
    def standing_on(first: str, **upload: Any) -> Params:
        known = params()
        train = known.train.model_copy(update={"family": "age_cgan", "first": first})
        return known.model_copy(update={"train": train, "upload": known.upload.model_copy(update=upload)})

    read(refusal(standing_on("published/channels/latest")))
    assert "the channel that upload moves" in refusal(
        standing_on(f"file:{Path('published').absolute()}/channels/latest.json")
    )
    for other in (standing_on("elsewhere/channels/latest"), standing_on("published/channels/latest", publish="never")):
        with refused("first-unusable"):
            check(other, MADE)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"network": "unet"}, "a source goes with a network that makes images of images"),
        ({"generator": {"conditioning": "none"}}, "set generator.conditioning too"),
        ({"batch_size": 64, "accumulation": 3}, "set batch_size to a multiple of"),
    ],
)
def test_a_recipe_that_train_would_refuse_is_refused_before_anything_is_learned(
    recipe: dict[str, Any], words: str
) -> None:
    known = params()
    with refused("recipe-does-not-fit", "train.family = 'cgan': ", words):
        check(changed(known, "train", recipe=recipe), MADE)


def test_all_that_is_wrong_is_told_at_once() -> None:
    sentence = refusal(params("file:photos/one.png", path="nowhere"))
    assert "ingest.path" in sentence
    assert "upload.url" in sentence
