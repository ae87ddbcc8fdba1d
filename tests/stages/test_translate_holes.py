"""`python -m stages.translate` with a model that fills holes: a picture of one's own, and a mask of one's own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import mintage
from mintage.damage import Damage
from stages.common.levels import to_uint8
from tests.stages.forked import run_stage_in, try_stage_in

HOLE = np.s_[5:12, 8:18]


@pytest.fixture(scope="module", params=[1, 3])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("model")
    images = torch.rand(16, request.param, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    data = mintage.Dataset(images, source=Damage("masked", 0.0).sources(images, 0, 0))
    recipe = {"width": 4, "redrawn": False}
    mintage.train(data, "context_encoder", 64, recipe, progress=False).model.save(folder)
    return folder


def levels(path: Path, channels: int = 3) -> np.ndarray:
    return np.asarray(Image.open(path).convert("L" if channels == 1 else "RGB"))


def channels_of(model: Path) -> int:
    return mintage.load(model).shape[0]


def painted(height: int = 20, width: int = 30) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)


def mask(height: int = 20, width: int = 30) -> np.ndarray:
    made = np.zeros((height, width), np.uint8)
    made[HOLE] = 255
    return made


def filled(folder: Path, model: Path, picture: Any, *more: str) -> np.ndarray:
    Image.fromarray(picture).save(folder / "a.png")
    run_stage_in(folder, "translate", "a.png", "--release", str(model), "--out", "out", *more)
    return np.asarray(Image.open(folder / "out/a.png"))


@pytest.mark.parametrize("fit", ["resize", "tiles"])
def test_a_hole_is_filled_and_the_rest_of_the_picture_keeps_every_byte(tmp_path: Path, model: Path, fit: str) -> None:
    Image.fromarray(mask()).save(tmp_path / "mask.png")
    made = filled(tmp_path, model, painted(), "--with", "mask.png", "--fit", fit)
    own = levels(tmp_path / "a.png", channels_of(model))
    assert made.shape == own.shape
    outside = mask() == 0
    assert np.array_equal(made[outside], own[outside])
    assert not np.array_equal(made[~outside], own[~outside])


@pytest.mark.parametrize("fit", ["resize", "tiles", "crop"])
@pytest.mark.parametrize("model", [3], indirect=True)
def test_what_lies_in_the_hole_is_not_looked_at(tmp_path: Path, model: Path, fit: str) -> None:
    other = painted()
    other[HOLE] = 7
    made = []
    for name, picture in (("one", painted()), ("other", other)):
        (tmp_path / name).mkdir()
        Image.fromarray(mask()).save(tmp_path / name / "mask.png")
        made.append(filled(tmp_path / name, model, picture, "--with", "mask.png", "--fit", fit))
    assert np.array_equal(made[0], made[1])


def test_at_the_model_s_size_it_is_what_the_library_makes(tmp_path: Path, model: Path) -> None:
    channels, hole = channels_of(model), mask(16, 16)
    Image.fromarray(hole).save(tmp_path / "mask.png")
    made = filled(tmp_path, model, painted(16, 16), "--with", "mask.png")
    own = levels(tmp_path / "a.png", channels)
    image = own[None] if channels == 1 else np.moveaxis(own, -1, 0)
    source = np.concatenate([np.where(hole, 128, image), hole[None]]) / np.float32(127.5) - 1
    expected = to_uint8(mintage.load(model).translate(source[None].astype(np.float32)).numpy())[0]
    assert np.array_equal(made, expected[0] if channels == 1 else np.moveaxis(expected, 0, -1))


def test_what_is_transparent_is_a_hole_where_no_mask_is_given(tmp_path: Path, model: Path) -> None:
    see_through = np.concatenate([painted(), 255 - mask()[..., None]], axis=2)
    made = filled(tmp_path, model, see_through)
    own = np.asarray(Image.fromarray(painted()).convert("L" if channels_of(model) == 1 else "RGB"))
    assert np.array_equal(made[mask() == 0], own[mask() == 0])


def test_a_mask_of_white_on_nothing_is_taken_and_a_folder_has_one_for_each(tmp_path: Path, model: Path) -> None:
    white_on_nothing = np.stack([np.full_like(mask(), 255)] * 3 + [mask()], axis=2)
    (tmp_path / "masks").mkdir()
    Image.fromarray(white_on_nothing).save(tmp_path / "masks/a.webp", lossless=True)
    made = filled(tmp_path, model, painted(), "--with", "masks")
    own = levels(tmp_path / "a.png", channels_of(model))
    assert np.array_equal(made[mask() == 0], own[mask() == 0])


@pytest.mark.parametrize("model", [3], indirect=True)
@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        pytest.param(
            np.zeros((20, 30), np.uint8),
            "no hole",
            marks=pytest.mark.tried(
                "`mintage translate` with a black mask", "its mask has no hole: make white what is to be filled"
            ),
        ),
        pytest.param(
            np.full((20, 30), 255, np.uint8),
            "all hole",
            marks=pytest.mark.tried(
                "`mintage translate` with a white mask", "it is all hole: leave something to go by"
            ),
        ),
        pytest.param(
            mask(20, 31),
            "31 x 20",
            marks=pytest.mark.tried(
                "`mintage translate` with a mask of another size",
                "its mask is 31 x 20 and it is 30 x 20: give one of its size",
            ),
        ),
        pytest.param(
            painted(),
            "black and white",
            marks=pytest.mark.tried(
                "`mintage translate` with a photograph for a mask", "its mask is not of black and white"
            ),
        ),
        pytest.param(
            None,
            "no hole",
            marks=pytest.mark.tried(
                "`mintage translate` of a picture without a hole and a model that fills holes",
                "it has no hole: give a mask with --with that is white there",
            ),
        ),
    ],
)
def test_a_mask_that_says_nothing_is_one_sentence(
    tmp_path: Path, model: Path, read: Any, wrong: np.ndarray | None, reason: str
) -> None:
    given = list[str]()
    if wrong is not None:
        Image.fromarray(wrong).save(tmp_path / "mask.png")
        given = ["--with", "mask.png"]
    Image.fromarray(painted()).save(tmp_path / "a.png")
    code, said = try_stage_in(tmp_path, "translate", "a.png", "--release", str(model), "--out", "out", *given)
    assert (code, "1 picture cannot be read: 'a.png'" in said) == (2, True)
    assert reason in said
    read(said)
