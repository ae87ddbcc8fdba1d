"""The lines of Python in a model card and on a page of the gallery: they run as they are, whatever the model makes."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import mintage
from mintage.tokens import sequences
from stages.common.loading import loading

IMAGES = torch.rand(16, 1, 8, 8) * 2 - 1
HALVES = torch.arange(16) % 2
SMALL: dict[str, Any] = {"width": 4, "batch_size": 8}
DATA = {
    "gan": mintage.Dataset(IMAGES),
    "cgan": mintage.Dataset(IMAGES, HALVES, classes=['it\'s a "bag"', "boot\n"]),
    "sngan_attributes": mintage.Dataset(IMAGES, attributes={"hair": ["red", "black"] * 8}),
    "vae": mintage.Dataset(IMAGES),
    "pix2pix": mintage.Dataset(IMAGES, source=-IMAGES),
    "cyclegan": mintage.Dataset(IMAGES, domain=HALVES, domains=("day", "night")),
    "cogan": mintage.Dataset(IMAGES, domain=HALVES, domains=("day", "night")),
    "lstm": sequences(torch.arange(64).reshape(16, 4) % 3, ["a", "rose", "is"]),
}


@pytest.mark.parametrize("family", DATA)
def test_the_lines_run_and_say_the_shape_of_what_is_made(
    family: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = mintage.train(DATA[family], family, 8, SMALL, progress=False).model
    model.save(tmp_path)
    lines = loading(asdict(model.generator.config), str(tmp_path))
    found: dict[str, Any] = {}
    exec(lines, found)
    if family == "lstm":
        assert capsys.readouterr().out.splitlines() == found["lines"]
        return
    shown: list[Tensor] = found["pairs"] if family == "cogan" else [found["images"]]
    assert len(shown) == (2 if family == "cogan" else 1)
    assert all(images.shape == (16, 1, 8, 8) for images in shown)
    assert "[16, 1, 8, 8] in [-1, 1]" in lines


def test_a_model_with_an_encoder_is_shown_to_encode_and_to_make_again(tmp_path: Path) -> None:
    model = mintage.train(DATA["vae"], "vae", 8, SMALL, progress=False).model
    model.save(tmp_path)
    found: dict[str, Any] = {}
    exec(loading(asdict(model.generator.config), str(tmp_path)), found)
    assert torch.equal(found["latents"], model.encode(found["pictures"]))
    assert torch.equal(found["again"], model.reconstruct(found["pictures"]))


def test_words_are_joined_as_the_data_have_them() -> None:
    assert "between=''" in loading({"vocabulary": ["a", "b"]}, ".", "")
