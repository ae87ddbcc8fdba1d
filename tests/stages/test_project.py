"""`python -m stages.project`: one's own pictures, found in a model of noise."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import mintage
from stages.common.marks import mark_in
from tests.stages.forked import run_stage_in, try_stage_in


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a model that is told an attribute, `faces`, one that is told a class, `shades`, and some pictures."""
    root = tmp_path_factory.mktemp("project")
    dark = torch.arange(64) % 2 == 0
    shades = torch.where(dark, -0.8, 0.8)[:, None, None, None].expand(-1, 3, 8, 8).clone()
    dataset = mintage.Dataset(shades, attributes={"dark": dark.tolist()})
    mintage.train(dataset, "sngan_attributes", 320, {"width": 4}, progress=False).model.save(root / "faces")
    classed = mintage.Dataset(shades, dark.long(), classes=["light", "dark"])
    mintage.train(classed, "cgan", 640, {"width": 8}, progress=False).model.save(root / "shades")
    (root / "in").mkdir()
    for number, level in enumerate((30, 220)):
        Image.fromarray(np.full((20, 24, 3), level, np.uint8)).save(root / f"in/{number}.jpg")
    return root


def run(folder: Path, *arguments: str) -> str:
    said = run_stage_in(folder, "project", *arguments, "--steps", "10")
    return said


def mean(path: Path) -> float:
    return float(np.asarray(Image.open(path)).mean())


def test_pictures_of_any_size_are_found_and_marked_as_generated(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run(folder, "in", "--release", "shades", "--out", str(out))
    assert "projected 2 pictures, PSNR " in said
    assert Image.open(out / "0.png").size == (8, 8)
    assert mean(out / "0.png") < mean(out / "1.png")
    assert mark_in((out / "0.png").read_bytes()) is not None
    before = (out / "0.png").read_bytes()
    again = run(folder, "in", "--release", "shades", "--out", str(out))
    assert "projected 0 pictures: " in again
    assert "left 2 pictures as they were" in again
    assert (out / "0.png").read_bytes() == before
    given = ("in", "--release", "shades", "--out", str(out), "--steps", "11")
    code, said = try_stage_in(folder, "project", *given)
    assert (code, "2 pictures made of another file, by another model or with other settings" in said) == (2, True)


def test_a_class_is_changed_where_another_is_asked_for(folder: Path, tmp_path: Path) -> None:
    model = mintage.load(folder / "shades")
    found = model.project(torch.full((1, 3, 8, 8), 30 / 127.5 - 1), steps=10)
    for label in ("light", "dark"):
        said = run(folder, "in/0.jpg", "--release", "shades", "--to", label, "--out", str(tmp_path / label))
        assert said.count(" to ") == 0, "one figure, not from itself to itself"
        (expected,) = model.decode(found.latents, label)
        levels = torch.from_numpy(np.array(Image.open(tmp_path / label / "0.png"))).permute(2, 0, 1)
        assert (levels / 127.5 - 1 - expected).abs().max() < 0.01, "the same as in Python"


def test_an_attribute_is_changed(folder: Path, tmp_path: Path) -> None:
    for value in ("true", "false"):
        run(folder, "in/0.jpg", "--release", "faces", "--set", f"dark={value}", "--out", str(tmp_path / value))
    assert (tmp_path / "true/0.png").read_bytes() != (tmp_path / "false/0.png").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["in", "--release", "gone"], "gone/manifest.json is not there"),
        (["gone.png", "--release", "shades"], "'gone.png' is neither a file nor a folder"),
        (
            ["in", "--release", "shades", "--to", "gray", "--steps", "100000000"],  # before a search
            "there is no class 'gray': ask for one of light, dark",
        ),
        (["in", "--release", "shades", "--set", "dark=true"], "this model takes no attributes"),
        (["in", "--release", "faces", "--set", "dark"], "--set 'dark' is no NAME=VALUE: write such as glasses=true"),
        (["in", "--release", "faces", "--set", "drak=true"], "there is no attribute 'drak'"),
        (["in", "--release", "faces", "--to", "dark"], "this model takes no class: leave out --to"),
        (["in", "--release", "faces", "--label", "dark"], "this model takes no class: leave out --label"),
        (["in", "--release", "faces", "--steps", "-1"], "--steps is -1: give 0 or more"),
    ],
)
def test_what_cannot_be_is_one_sentence(folder: Path, tmp_path: Path, arguments: list[str], sentence: str) -> None:
    code, said = try_stage_in(folder, "project", *arguments, "--out", str(tmp_path / "out"))
    assert (code, said.count("error: ")) == (2, 1)
    assert sentence in said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob("*.png"))


def test_a_broken_picture_is_named_and_the_others_are_found(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures/good.png").write_bytes((folder / "in/0.jpg").read_bytes())
    (tmp_path / "pictures/bad.png").write_bytes(b"no picture")
    given = [str(tmp_path / "pictures"), "--release", "shades", "--out", str(tmp_path / "out"), "--steps", "2"]
    code, said = try_stage_in(folder, "project", *given)
    assert (code, "1 picture cannot be read: 'bad.png'" in said) == (2, True)
    assert (tmp_path / "out/good.png").is_file()


def test_a_translator_is_refused(folder: Path, tmp_path: Path) -> None:
    pictures = torch.rand(64, 1, 8, 8) * 2 - 1
    pairs = mintage.Dataset(image=pictures, source=-pictures)
    mintage.train(pairs, "pix2pix", 64, {"width": 4}, progress=False).model.save(tmp_path / "pairs")
    given = [str(folder / "in"), "--release", str(tmp_path / "pairs"), "--out", str(tmp_path / "out")]
    code, said = try_stage_in(folder, "project", *given)
    assert (code, "makes no pictures from noise: name a model that does" in said) == (2, True)
