"""A release's detector: what select makes of it, and `mintage releases detect`."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mintage import load, load_detector
from mintage.detection import train_detector
from stages.common.files import read_json
from stages.common.pictures import encode_png
from stages.common.split import Split
from stages.releases.content import gather
from stages.releases.publish import publish
from stages.select import select
from tests.stages.shared_store import Shared
from tests.stages.tiny_models import select_params, write_run


def selected(run: Path, **changes: Any) -> dict[str, Any]:
    return select(select_params(run, **changes), run)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, digits_run: Path) -> Path:
    """A conditional model, selected with a detector."""
    folder = Path(shutil.copytree(digits_run, tmp_path_factory.mktemp("detector") / "run"))
    selected(folder, detector_images=24_000)
    return folder


def test_its_accuracy_is_that_of_what_the_folder_holds_on_the_held_out_images(run: Path) -> None:
    found = read_json(run / "metrics/selection.json")["detector"]
    held_out = torch.from_numpy(Split(run / "data/normalized/holdout").images())
    taken_for_made = load_detector(run / "models/selected").detect(held_out).double().mean().item()
    assert found["images"] == 150
    assert found["real"] == pytest.approx(1 - taken_for_made, abs=1e-6)
    assert found["balanced"] == pytest.approx((found["real"] + found["generated"]) / 2, abs=1e-6)
    assert found["balanced"] - 2 * found["error"] > 0.5, "so short a training deceives nobody"


def test_it_knows_new_images_of_every_class_about_as_well_as_it_says(run: Path) -> None:
    found = read_json(run / "metrics/selection.json")["detector"]
    made = load(run / "models/selected").sample(500, seed=7)
    share = load_detector(run / "models/selected").detect(made).double().mean().item()
    assert share == pytest.approx(found["generated"], abs=0.12)


def test_the_card_says_how_often_it_is_right_and_how_to_ask_it(run: Path) -> None:
    card = (run / "models/selected/README.md").read_text()
    assert read_json(run / "metrics/selection.json")["detector"]["sentence"] in card
    assert 'mintage.load_detector(".")' in card


def test_asked_for_again_it_is_the_same_and_nothing_learns_again(run: Path) -> None:
    (known,) = (run / ".measure").rglob("detector-*")
    before, inode = (run / "models/selected/detector.safetensors").read_bytes(), known.stat().st_ino
    selected(run, detector_images=24_000)
    assert (run / "models/selected/detector.safetensors").read_bytes() == before
    assert known.stat().st_ino == inode


def test_without_the_param_a_model_has_none_and_its_other_figures_are_the_same(run: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    found, before = selected(copy), read_json(run / "metrics/selection.json")
    assert found["detector"] is None
    assert "detector" not in found["absent"], "nobody misses what nobody asked for"
    assert not list((copy / "models/selected").glob("detector*"))
    assert "detector" not in (copy / "models/selected/README.md").read_text()
    for facts in (before, found):
        del facts["detector"], facts["absent"]
    assert json.loads(json.dumps(found)) == before


def test_an_unconditional_model_has_one_too(tmp_path: Path) -> None:
    found = selected(write_run(tmp_path, None), detector_images=24_000)["detector"]
    assert (tmp_path / "models/selected/detector.json").is_file()
    assert 0.5 < found["balanced"] <= 1


def picture(level: int, side: int = 8) -> bytes:
    return encode_png(np.full((1, side, side), level, np.uint8))


@pytest.fixture
def carrying(shared: Shared) -> Shared:
    """A store with a release whose detector takes dark pictures for generated."""
    random = torch.Generator().manual_seed(0)
    light, dark = (center + torch.rand(200, 1, 8, 8, generator=random) * 0.6 for center in (0.2, -0.8))
    planted = train_detector(light, dark, images=3200).measured(light, dark)
    planted.save(shared.tree / "models/selected")
    publish(shared.store, gather(), "latest")
    for name, content in (("light.png", picture(200)), ("dark.png", picture(50))):
        (shared.tree / name).write_bytes(content)
    return shared


def test_pictures_are_asked_about_and_the_error_stands_below(carrying: Shared) -> None:
    code, text = carrying.run("detect", "latest", "dark.png")
    lines = text.splitlines()
    assert code == 0
    assert lines[0].startswith("dark.png: taken for generated (+")
    assert lines[1].startswith("The detector takes 100.0% (± ")
    code, text = carrying.run("detect", "latest", "light.png", "dark.png")
    assert (code, text.splitlines()[0].split(" (")[0]) == (1, "light.png: taken for real")


def test_for_scripts_all_is_json(carrying: Shared) -> None:
    code, text = carrying.run("detect", "latest", "light.png", "--json")
    facts = json.loads(text)
    assert code == 1
    assert facts["files"][0]["file"] == "light.png"
    assert facts["files"][0]["generated"] is False
    assert facts["files"][0]["score"] < 0
    assert facts["accuracy"]["images"] == 200


def test_a_fetched_release_is_asked_by_its_folder(carrying: Shared) -> None:
    assert carrying.run("fetch", "latest", "model")[0] == 0
    assert carrying.run("detect", "model", "dark.png")[0] == 0


@pytest.mark.tried(
    "`python -m stages.releases detect latest picture.png`, of a release without a detector",
    "carries no detector: set select.detector_images, such as to 240000, where it is made",
)
def test_a_release_without_one_says_so(shared: Shared, read: Callable[[str], None]) -> None:
    shared.release(0)
    (shared.tree / "dark.png").write_bytes(picture(50))
    code, text = shared.run("detect", "latest", "dark.png")
    read(text)
    assert (code, text.count("\n")) == (2, 1)


def test_a_changed_detector_is_refused(carrying: Shared, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINTAGE_CACHE", str(tmp_path / "cache"))
    carrying.damage(json.loads(carrying.run("show", "latest", "--json")[1])["release"], "detector.safetensors")
    code, text = carrying.run("detect", "latest", "dark.png")
    assert code == 2
    assert "detector.safetensors is damaged" in text


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("notes.txt", b"Bought: milk", "cannot be read as a picture"),
        ("large.png", picture(50, 32), "large.png has 32 x 32 pixels, and the detector is of 8 x 8"),
        ("gone.png", None, "gone.png cannot be read: No such file"),
    ],
)
def test_what_is_no_picture_or_of_another_size_is_one_sentence(
    carrying: Shared, name: str, content: bytes | None, reason: str
) -> None:
    if content is not None:
        (carrying.tree / name).write_bytes(content)
    code, text = carrying.run("detect", "latest", name)
    assert (code, text.count("\n")) == (2, 1)
    assert reason in text
