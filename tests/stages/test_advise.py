"""Which family, size and minutes suit some data; how fast a family learns is given, but where a test says otherwise."""

import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stages import advise
from stages.advising import speed as speeds
from stages.advising.looks import Looks, look
from stages.advising.speed import images_per_second
from stages.common.files import write_json
from stages.common.params import Params, load_params
from stages.common.sections import Scenes
from stages.examples import load_all
from stages.media.sounds import Sounds
from tests.programs import printed_by
from tests.refusals import refused
from tests.stages.source_files import encoded, ingested, noise, write_tree
from tests.stages.tiny_data import ROOT

SECONDS_A_PIXEL = 1e-6
"""Of a machine that is as fast for all families: 10 seconds for 200,000 images of 8x8."""


def speed(family: str, params: Params, looks: Looks, sides: tuple[int, ...]) -> float:
    return 1 / (SECONDS_A_PIXEL * prod(sides))


def params_of(**normalize: Any) -> Params:
    params = load_params(ROOT / "params.yaml")
    return params.model_copy(update={"normalize": params.normalize.model_copy(update=normalize)})


def advised(raw: Path, minutes: float = 30, **normalize: Any) -> list[advise.Advice]:
    params = params_of(**normalize)
    return list(advise.advise(params, look(raw, params), minutes, speed))


def photos(root: Path, *folders: str) -> Path:
    """Six photographs of 50x40 in each folder."""
    for seed, name in enumerate(folders):
        (root / name).mkdir(parents=True)
        for index, image in enumerate(noise(6, 40, 50, 3, seed=seed)):
            (root / name / f"{index}.png").write_bytes(encoded(Image.fromarray(image)))
    return root


def bring_digits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with what the command reads, now the current one."""
    for name in ("params.yaml", "examples", "docs"):
        (folder / name).symlink_to(ROOT / name)
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["advise"])
    ingested(Path("data/raw"), source="digits", path="data/source")


@pytest.fixture(autouse=True)
def in_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)


def test_labeled_digits_are_for_cgan_as_they_were_measured(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="digits", path="data/source")
    found = advised(tmp_path / "raw")
    best = found[0]
    assert (best.family, best.sides, best.images, best.example.name) == ("cgan", (8, 8), 200_000, "digits_cgan")
    assert best.minutes == pytest.approx(200_000 * SECONDS_A_PIXEL * 64 / 60)
    assert {"dcgan", "infogan", "biggan"} < {one.family for one in found}, "labels may be left aside"
    assert not {"pix2pix", "cyclegan", "sngan_attributes", "seqgan", "ssgan"} & {one.family for one in found}
    assert "200,000 images" not in "\n".join(advise.lines_of([best])), "as many as the example"


def test_a_reason_is_of_the_first_row_that_takes_a_family_and_keeps_the_words_of_its_links(tmp_path: Path) -> None:
    """Not of the row for a variant, which is not what is advised."""
    ingested(tmp_path / "raw", source="digits", path="data/source")
    reasons = {one.family: one.why for one in advised(tmp_path / "raw")}
    assert reasons["cgan"] == "for labels: the best picture for the CPU time at any budget measured here"
    assert reasons["acgan"].startswith("by its Frechet distance on digits, 3.61 in the table of docs/families.md (")
    assert reasons["vae_gan"].endswith(": with an encoder (docs/autoencoding.md)")


def test_what_an_example_was_shown_is_its_own_whatever_params_say(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="digits", path="data/source")
    params = params_of()
    short = params.model_copy(update={"train": params.train.model_copy(update={"images": 5000})})
    best = next(advise.advise(short, look(tmp_path / "raw", short), 30, speed))
    assert (best.example.name, best.trained) == ("digits_cgan", 200_000)


def test_what_judges_takes_longer_for_larger_images_and_longer_trainings(tmp_path: Path) -> None:
    params = params_of()
    ingested(tmp_path / "raw", source="digits", path="data/source")
    looks = look(tmp_path / "raw", params)
    best = next(advise.advise(params, looks, 30, speed))
    took = advise.minutes_of_others(best, looks, params) or 0
    rows = advise.table_of(Path("docs/benchmarks.md").read_text(), "Where the seconds of a run go")
    assert took * 60 == pytest.approx(sum(float(row["here"]) for row in rows if row["stage"] == "all but train"))
    for changed in (replace(best, sides=(28, 28)), replace(best, sides=(28, 28), images=50_000)):
        assert took < (advise.minutes_of_others(changed, looks, params) or 0) < took * 28 * 28 / 64
    sounds = replace(looks, known=replace(looks.known, medium=Sounds(8000)))
    assert advise.minutes_of_others(best, sounds, params) is None


def test_fewer_minutes_mean_smaller_images_and_then_fewer_of_them(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"a": 3, "b": 3}, size=28)
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    sides, images = zip(*((best.sides[0], best.images) for best in (
        advised(tmp_path / "raw", minutes)[0] for minutes in (30, 1, 0.1)
    )), strict=True)  # fmt: skip
    assert (sides, images) == ((28, 28, 8), (120_000, 76_000, 93_000))
    (row, *_) = advise.lines_of([advised(tmp_path / "raw", 0.1)[0]])[1:]
    assert ", of 120,000 images" in row


def test_without_the_figures_that_families_are_chosen_by_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the package is installed, without docs/."""
    ingested(tmp_path / "raw", source="digits", path="data/source")
    monkeypatch.setattr(advise, "FAMILIES_PAGE", tmp_path / "families.md")
    with refused("measured-missing", "families.md is missing"):
        advised(tmp_path / "raw")


def test_photographs_without_labels_are_never_enlarged_and_keep_their_colors(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", path=str(photos(tmp_path / "photos", "")), labels=False)
    params = params_of()
    looks = look(tmp_path / "raw", params)
    found = list(advise.advise(params, looks, 30, speed))
    assert (found[0].family, found[0].sides) == ("infogan", (32, 40))
    assert all(one.sides[0] <= 40 for one in found)
    changes, few, *_ = advise.notes(found[0], looks, params)
    assert "-S normalize.channels=3 -S normalize.height=32 -S normalize.width=40" in changes
    command = changes.removeprefix("to take the first: ")
    assert few.endswith(f"; against copies: {command} -S '+train.recipe.augment=[translation,cutout]'"), (
        "a whole command"
    )


def test_photographs_of_unlike_aspects_become_squares(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", "")
    (folder / "high.png").write_bytes(encoded(Image.fromarray(noise(1, 60, 40, 3)[0])))
    ingested(tmp_path / "raw", path=str(folder), labels=False)
    assert advised(tmp_path / "raw")[0].sides == (32, 32)


def test_a_size_that_params_ask_for_is_kept_where_no_image_would_be_enlarged(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", path=str(photos(tmp_path / "photos", "")), labels=False)
    assert {one.sides for one in advised(tmp_path / "raw", 0.1, height=16, width=24)} == {(16, 24)}
    assert advised(tmp_path / "raw", height=64, width=64)[0].sides == (32, 40)


@pytest.mark.parametrize(
    ("source", "normalize", "families"),
    [
        ({"source": "tunes", "options": {"tunes": 5}}, {"height": 16, "width": 24}, ["midinet"]),
        ({"source": "tones", "options": {"sounds": 20, "decibels": [5]}}, {"length": 1024}, ["segan"]),
    ],
)
def test_only_families_that_were_tried_with_such_data_are_advised(
    tmp_path: Path, source: dict[str, Any], normalize: dict[str, int], families: list[str]
) -> None:
    ingested(tmp_path / "raw", path="data/source", labels=False, **source)
    params = params_of(**normalize)
    params = params.model_copy(update={"ingest": params.ingest.model_copy(update=source)})  # as who brought them has it
    found = list(advise.advise(params, look(tmp_path / "raw", params), 30, speed))
    assert [one.family for one in found] == families
    assert "docs/" in found[0].why


def test_volumes_that_are_no_cube_need_no_other_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.advising.speed.SECONDS", 0.01)
    ingested(tmp_path / "raw", source="solids", path="data/source", options={"volumes": 20})
    params = params_of(depth=12)
    looks = look(tmp_path / "raw", params)
    (best,) = advise.advise(params, looks, 30)
    assert (best.family, best.sides) == ("gan3d", (8, 12, 8))
    assert "augment" not in next(advise.notes(best, looks, params))


@pytest.mark.parametrize(
    ("partner", "family"), [("edges", "pix2pix"), ("masked", "context_encoder"), ("lower_resolution", "srgan")]
)
def test_pairs_are_for_the_family_whose_example_has_such_pairs(tmp_path: Path, partner: str, family: str) -> None:
    write_tree(tmp_path / "tree", {"a": 3, "b": 3}, size=28)
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    assert advised(tmp_path / "raw", partner=partner, height=28, width=28)[0].family == family


@pytest.mark.parametrize(
    ("partner", "family"), [("edges", "pix2pix"), ("masked", "context_encoder"), ("noisy", "pix2pix")]
)
def test_what_is_refused_for_such_pairs_is_left_out_when_its_speed_is_asked(
    tmp_path: Path, partner: str, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A context encoder redraws its holes, so sources that are made otherwise are none of its own."""
    monkeypatch.setattr(speeds, "SECONDS", 0.01)
    write_tree(tmp_path / "tree", {"a": 3, "b": 3}, size=16)
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    params = params_of(partner=partner, height=16, width=16)
    families = [one.family for one in advise.advise(params, look(tmp_path / "raw", params), 30)]
    assert family in families
    assert ("context_encoder" in families) == (partner == "masked")


@pytest.mark.parametrize(("maps", "family"), [(0, "pix2pix"), (1, "pg2")])
def test_pairs_in_folders_are_for_pix2pix_and_those_with_maps_for_the_family_that_takes_maps(
    tmp_path: Path, maps: int, family: str
) -> None:
    photos(tmp_path / "photos", "in", "out", *["map"] * maps)
    pairs = {"by": "name", "folders": ["in", "out", *["map"] * maps]}
    ingested(tmp_path / "raw", path=str(tmp_path / "photos"), pairs=pairs, labels=False)
    params = params_of(channels=3, height=40, width=40)
    looks = look(tmp_path / "raw", params)
    found = list(advise.advise(params, looks, 30, speed))
    assert found[0].family == family
    assert "srgan" not in {one.family for one in found}, "no source is smaller than its image"
    assert "augment" not in "\n".join(advise.notes(found[0], looks, params)), "training refuses it"


@pytest.mark.parametrize(
    ("partner", "recipe", "sentence"),
    [("gray", {}, True), ("gray", {"residual": False}, False), ("edges", {}, False), ("noisy", {}, False)],
)
def test_a_source_that_shows_its_image_is_where_a_translation_should_begin(
    tmp_path: Path, partner: str, recipe: dict[str, Any], sentence: bool
) -> None:
    photos(tmp_path / "photos", "some")
    ingested(tmp_path / "raw", path=str(tmp_path / "photos"), labels=False)
    params = params_of(partner=partner, channels=3, height=16, width=16)
    params.train.recipe.update(recipe)
    looks = look(tmp_path / "raw", params)
    best = advise.Advice("pix2pix", (16, 16), 1000, 1.0, load_all(Path("examples"))[0], 1000, "")
    assert ("-S +train.recipe.residual=true" in next(advise.notes(best, looks, params))) == sentence


def test_two_domains_are_for_cyclegan(tmp_path: Path) -> None:
    photos(tmp_path / "photos", "trainA", "trainB")
    ingested(tmp_path / "raw", path=str(tmp_path / "photos"), domains=["A", "B"], labels=False)
    found = advised(tmp_path / "raw")
    assert found[0].family == "cyclegan"
    notes = "\n".join(advise.notes(found[0], look(tmp_path / "raw", params_of()), params_of()))
    assert "few images: look at near_copies" in notes
    assert "augment" not in notes, "training refuses it"


def test_clips_are_for_next_frame(tmp_path: Path) -> None:
    scenes = Scenes(past=4)
    ingested(tmp_path / "raw", source="moving", path="data/source", options={"clips": 8}, scenes=scenes)
    params = params_of(channels=1)
    params = params.model_copy(update={"ingest": params.ingest.model_copy(update={"scenes": scenes})})
    found = list(advise.advise(params, look(tmp_path / "raw", params), 30, speed))
    assert [(one.family, one.example.name) for one in found] == [("next_frame", "digits_next_frame")]


def test_attributes_are_for_the_family_that_learns_from_them(tmp_path: Path) -> None:
    names = sorted(path.name for path in write_tree(tmp_path / "tree", {"": 6}).iterdir())
    rows = ["file,smile,hat", *(f"{name},{n % 2},{n // 3}" for n, name in enumerate(names))]
    (tmp_path / "tree/a.csv").write_text("\n".join(rows) + "\n")
    attributes = {"file": "a.csv", "columns": ["smile", "hat"]}
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"), attributes=attributes, labels=False)
    assert [one.family for one in advised(tmp_path / "raw")] == ["sngan_attributes"]


def test_points_keep_their_shape_and_are_for_the_family_of_points(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="ring", path="data/source", options={"points": 200})
    params = params_of()
    looks = look(tmp_path / "raw", params)
    (best, *_) = advise.advise(params, looks, 30, speed)
    assert (best.family, best.sides) == ("modern_points", (1, 2))
    assert "normalize" not in next(advise.notes(best, looks, params))


def test_volumes_keep_the_size_that_params_ask_for_and_are_for_the_family_of_volumes(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="solids", path="data/source", options={"volumes": 20})
    params = params_of(depth=8)
    looks = look(tmp_path / "raw", params)
    (best, *_) = advise.advise(params, looks, 30, speed)
    assert (best.family, best.sides) == ("gan3d", (8, 8, 8))
    assert "normalize" not in next(advise.notes(best, looks, params))


def test_sounds_keep_their_length_and_are_for_the_family_of_sounds(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="tones", path="data/source", options={"sounds": 20})
    params = params_of(length=1024)
    (best, *_) = advise.advise(params, look(tmp_path / "raw", params), 30, speed)
    assert (best.family, best.sides) == ("wavegan", (1024,))


def test_lines_keep_their_words_and_are_for_a_family_that_writes(tmp_path: Path) -> None:
    ingested(tmp_path / "raw", source="sentences", path="data/source", options={"sentences": 20})
    params = params_of()
    looks = look(tmp_path / "raw", params)
    best, other = advise.advise(params, looks, 30, speed)
    assert [best.family, best.sides, other.family] == ["lstm", (1, 14), "seqgan"]
    assert "sentences_lstm: surprise by counts 2.85 to 3.05" in advise.lines_of([best])[1]


@pytest.mark.parametrize("name", ["volumes", "points", "lines", "attributes", "words", "domains", "pairs", "labels"])
def test_the_speed_of_each_kind_is_measured_on_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("stages.advising.speed.SECONDS", 0.01)
    known: dict[str, Any] = {
        "points": {"source": "ring", "path": "data/source", "options": {"points": 200}},
        "lines": {"source": "sentences", "path": "data/source", "options": {"sentences": 20}},
        "volumes": {"source": "solids", "path": "data/source", "options": {"volumes": 20}},
        "attributes": {"attributes": {"file": "a.csv", "columns": ["smile", "hat"]}, "labels": False},
        "words": {"attributes": {"file": "a.csv", "columns": ["smile", "hat"]}, "labels": False},
        "domains": {"domains": ["A", "B"], "labels": False},
    }
    if name in ("attributes", "words"):
        names = sorted(path.name for path in write_tree(tmp_path / "in", {"": 6}).iterdir())
        hats = ["none", "bowler", "cap"] if name == "words" else [0, 1, 1]
        rows = ["file,smile,hat", *(f"{file},{n % 2},{hats[n % 3]}" for n, file in enumerate(names))]
        (tmp_path / "in/a.csv").write_text("\n".join(rows) + "\n")
    elif name not in ("points", "volumes", "lines"):
        photos(tmp_path / "in", "trainA", "trainB")
    ingested(tmp_path / "raw", **{"path": str(tmp_path / "in"), **known.get(name, {})})
    params = params_of(partner="edges" if name == "pairs" else None, depth=8 if name == "volumes" else None)
    looks = look(tmp_path / "raw", params)
    best = next(advise.advise(params, looks, 30, speed))
    assert np.isfinite(rate := images_per_second(best.family, params, looks, best.sides))
    assert rate > 0


def test_the_command_says_how_to_take_its_first_advice_and_advises_nothing_for_data_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bring_digits(tmp_path, monkeypatch)
    with refused("data-of-before", "1,797 images of 8x8 pixels, gray; 10 classes): `mintage run ingest` brings them"):
        advise.main()
    write_json(Path("provenance/ingest.json"), {"params": load_params().ingest.model_dump(mode="json")})
    # In so few minutes no machine takes as many images as params.yaml has.
    printed = printed_by("-m", "stages.advise", "--minutes", 0.3, folder=tmp_path)
    first, *_ = [line.split() for line in printed.splitlines() if line.startswith("cgan")]
    assert first[:2] == ["cgan", "8x8"]
    assert printed.startswith("1,797 images of 8x8 pixels, gray; 10 classes\n\nfamily")
    assert "few images: look" not in printed, "the example's own data"
    assert "such an experiment is not published (upload.publish): `mintage releases publish` does" in printed
    whole = re.search(
        "the minutes are for training only, .*: with all other stages the first takes about (.*),", printed
    )
    assert whole is not None
    assert float(whole[1]) > 31 / 60 / 2, "what the other stages take in docs/benchmarks.md, of a shorter training"


@pytest.mark.tried(
    "`mintage advise` after files in ingest.path were replaced",
    "error: data/source has changed since data/raw was made of it (1,797 images of 8x8 pixels, gray; 10 classes): "
    "`mintage run ingest` brings what is there now",
)
def test_files_that_were_replaced_after_they_were_ingested_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read: Callable[[str], None]
) -> None:
    bring_digits(tmp_path, monkeypatch)
    monkeypatch.setattr(advise, "advise", lambda *_: iter(()))
    write_json(Path("provenance/ingest.json"), {"params": load_params().ingest.model_dump(mode="json")})
    dep = {"path": "data/source", "hash": "md5", "md5": hashlib.md5(b"old").hexdigest(), "size": 3}
    write_json(Path("dvc.yaml"), {"stages": {"ingest": {"cmd": "true", "deps": ["data/source"]}}})
    write_json(Path("dvc.lock"), {"schema": "2.0", "stages": {"ingest": {"cmd": "true", "deps": [dep]}}})
    Path(".dvc").mkdir()
    Path("data/source").write_bytes(b"old")
    with refused("nothing-to-advise"):
        advise.main()
    Path("data/source").write_bytes(b"new")
    with refused("data-of-before") as error:
        advise.main()
    read(f"error: {error.value}")


def test_without_data_one_reads_how_to_bring_them(tmp_path: Path) -> None:
    with refused("output-missing", "mintage run ingest"):
        look(tmp_path, params_of())


@pytest.mark.parametrize(
    ("publish", "images", "told"), [("runs", 1000, True), ("runs", 200_000, False), ("always", 1000, False)]
)
def test_that_what_is_advised_is_not_published_is_said_where_it_is_so(
    tmp_path: Path, publish: str, images: int, told: bool
) -> None:
    ingested(tmp_path / "raw", source="digits", path="data/source")
    params = params_of()
    params = params.model_copy(update={"upload": params.upload.model_copy(update={"publish": publish})})
    best = advise.Advice("cgan", (8, 8), images, 1.0, load_all(Path("examples"))[0], 1000, "")
    notes = "\n".join(advise.notes(best, look(tmp_path / "raw", params), params))
    assert ("not published" in notes) == told
