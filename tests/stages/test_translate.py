"""`python -m stages.translate`: one's own pictures, of any size and kind, by a translator."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import mintage
from stages.common.files import write_json
from stages.common.levels import FloatImages, in_range, to_uint8
from stages.images.tiles import Tiling
from stages.media.rolls import Rolls
from stages.project import projector
from tests.refusals import refused
from tests.stages.forked import run_stage_in, try_stage_in

SIDE = st.integers(1, 40)


@settings(deadline=None)
@given(size=st.tuples(SIDE, SIDE), tile=st.tuples(st.integers(2, 16), st.integers(2, 16)), scale=st.integers(1, 3))
def test_tiles_that_stay_as_they_are_make_the_picture_again(
    size: tuple[int, int], tile: tuple[int, int], scale: int
) -> None:
    picture = np.random.default_rng(0).uniform(-1, 1, (3, *size)).astype(np.float32)
    tiling = Tiling(size, tile)
    enlarged = (np.kron(one, np.ones((scale, scale), np.float32)) for one in tiling.cut(picture))
    assert np.array_equal(tiling.joined(enlarged), to_uint8(np.kron(picture, np.ones((scale, scale), np.float32))))


def test_each_tile_is_of_the_size_asked_for_and_neighbors_share_a_quarter() -> None:
    tiling = Tiling((100, 35), (16, 32))
    tiles = list(tiling.cut(np.zeros((1, 100, 35), np.float32)))
    assert {tile.shape for tile in tiles} == {(1, 16, 32)}
    assert len(tiles) == len(tiling)
    rows = tiling.corners[0]
    assert (rows[0], rows[-1]) == (0, 84)
    assert max(after - before for before, after in pairwise(rows)) <= 12


@pytest.mark.parametrize(
    ("to", "sentence"),
    [
        ([], "say which domain to make: --to night or --to day"),
        (["--to", "nigth"], "--to: there is no domain 'nigth': did you mean 'night'?"),
    ],
)
def test_between_two_domains_the_one_to_make_must_be_named(tmp_path: Path, to: list[str], sentence: str) -> None:
    unpaired(tmp_path / "model")
    Image.new("L", (8, 8)).save(tmp_path / "one.png")
    code, output = try_stage_in(tmp_path, "translate", "one.png", "--out", "out", "--release", "model", *to)
    assert (code, sentence in output) == (2, True)


def test_both_directions_between_two_domains_translate_pictures(tmp_path: Path) -> None:
    model = unpaired(tmp_path / "model")
    levels = np.arange(64, dtype=np.uint8).reshape(8, 8) * 4
    Image.fromarray(levels).save(tmp_path / "one.png")
    for to in ("day", "night"):
        run_stage_in(tmp_path, "translate", "one.png", "--out", to, "--release", "model", "--to", to)
        expected = to_uint8(model.translate(levels[None], to=to)[0].numpy())
        assert np.array_equal(np.asarray(Image.open(tmp_path / to / "one.png")), expected[0])


def unpaired(folder: Path) -> mintage.Model:
    """A model of both directions, which it also writes to a folder."""
    images = torch.rand(20, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    data = mintage.Dataset(images, domain=[0, 1] * 10, domains=("day", "night"))
    recipe = {"width": 4, "batch_size": 8}
    model = mintage.train(data, "discogan", images=16, recipe=recipe, progress=False, device="cpu").model
    model.save(folder)
    return model


def test_tiles_that_differ_leave_no_seam() -> None:
    tiling = Tiling((64, 64), (16, 16))

    def lighter_and_darker() -> Iterator[FloatImages]:
        for number, tile in enumerate(tiling.cut(np.zeros((1, 64, 64), np.float32))):
            yield tile + (0.5 if number % 2 else -0.5)

    joined = in_range(tiling.joined(lighter_and_darker()))
    steps = [np.abs(np.diff(joined, axis=axis)).max() for axis in (1, 2)]
    assert np.ptp(joined) > 0.9, "the tiles are there"
    assert max(steps) <= 1 / 5 + 0.01, "a step of 1 is spread over the four pixels that neighbors share"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a translator of 8 x 8 pixels, RGB."""
    folder = tmp_path_factory.mktemp("model")
    random = torch.Generator().manual_seed(0)
    images = torch.rand(64, 3, 8, 8, generator=random) * 2 - 1
    data = mintage.Dataset(image=images, source=-images)
    recipe = {"width": 4, "batch_size": 16}
    mintage.train(data, "pix2pix", images=640, recipe=recipe, folder=folder, progress=False)
    return folder


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one that noise decides, too: latents, and dropout in use. Small weights would drown it."""
    folder = tmp_path_factory.mktemp("drawing")
    images = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    generator = {"dropout": 0.5, "dropout_in_use": True, "initialization": "orthogonal"}
    noise = {"latent_size": 8, "generator": generator}
    recipe = {"width": 4, "batch_size": 8, **noise}
    mintage.train(mintage.Dataset(image=images, source=-images), "pix2pix", 16, recipe, progress=False).model.save(
        folder
    )
    return folder


def translated(folder: Path, *arguments: str) -> str:
    """What it printed; it must end well."""
    said = run_stage_in(folder, "translate", *arguments)
    return said


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def picture(path: Path, height: int = 8, width: int = 8, seed: int = 0) -> np.ndarray:
    levels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(levels).save(path)
    return levels


def by_library(model: Path, levels: np.ndarray) -> np.ndarray:
    made = mintage.load(model).translate(np.moveaxis(levels, -1, 0)[None])
    return np.moveaxis(to_uint8(made.numpy())[0], 0, -1)


def test_a_folder_is_translated_as_the_library_does_and_what_is_there_stays(tmp_path: Path, model: Path) -> None:
    levels = {name: picture(tmp_path / "in" / name, seed=seed) for seed, name in enumerate(("a.png", "b/c.PNG"))}
    picture(tmp_path / "in/.thumbnails/a.png")
    said = translated(tmp_path, "in", "--out", "out", "--release", str(model))
    assert "translated 2 pictures" in said
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("out/**/*.png")) == [
        "out/a.png",
        "out/b/c.png",
    ]
    for name, source in levels.items():
        target = (tmp_path / "out" / name).with_suffix(".png")
        assert np.abs(pixels(target).astype(int) - by_library(model, source)).max() <= 1
    (tmp_path / "out/a.png").write_bytes(b"mine")
    said = translated(tmp_path, "in", "--out", "out", "--release", str(model))
    assert "left 2 pictures as they were" in said
    assert (tmp_path / "out/a.png").read_bytes() == b"mine"


def test_what_was_made_of_other_files_or_by_another_model_is_told_before_anything_is_done(
    tmp_path: Path, model: Path
) -> None:
    for seed, name in enumerate(("a.png", "b.png")):
        picture(tmp_path / "in" / name, seed=seed)
    translated(tmp_path, "in/a.png", "--out", "out", "--release", str(model))
    picture(tmp_path / "in/a.png", seed=7)
    code, said = try_stage_in(tmp_path, "translate", "in", "--out", "out", "--release", str(model))
    assert (code, "out holds 1 picture made of another file, by another model or with other" in said) == (2, True)
    assert not (tmp_path / "out/b.png").exists()
    picture(tmp_path / "in/a.png", seed=0)
    said = translated(tmp_path, "in", "--out", "out", "--release", str(model))
    assert ("translated 1 picture" in said, "left 1 picture as it was" in said) == (True, True)
    unpaired(tmp_path / "other")
    code, said = try_stage_in(tmp_path, "translate", "in", "--out", "out", "--release", "other", "--to", "day")
    assert (code, "out holds 2 pictures made of another file, by another model" in said) == (2, True)


def test_many_pictures_at_once_are_the_bits_of_one_at_a_time(tmp_path: Path, model: Path) -> None:
    for number in range(70):
        picture(tmp_path / f"in/{number:02d}.png", 8 + number % 5, 9, seed=number)
    translated(tmp_path, "in", "--out", "all", "--fit", "tiles", "--release", str(model))
    some = [f"in/{number:02d}.png" for number in (3, 64, 69)]
    translated(tmp_path, *some, "--out", "some", "--fit", "tiles", "--release", str(model))
    for path in tmp_path.glob("some/*.png"):
        assert path.read_bytes() == (tmp_path / "all" / path.name).read_bytes()


@pytest.mark.parametrize(("fit", "shape"), [("tiles", (30, 21, 3)), ("resize", (8, 8, 3)), ("letterbox", (8, 8, 3))])
def test_a_larger_picture_keeps_its_size_in_tiles_or_takes_the_model_s(
    tmp_path: Path, model: Path, fit: str, shape: tuple[int, ...]
) -> None:
    picture(tmp_path / "a.png", 30, 21)
    translated(tmp_path, "a.png", "--out", "out", "--fit", fit, "--release", str(model))
    assert pixels(tmp_path / "out/a.png").shape == shape


def test_a_translator_that_begins_as_its_source_gives_a_larger_picture_back_by_tiles(tmp_path: Path) -> None:
    images = torch.rand(32, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    data = mintage.Dataset(image=images, source=images[:, :1])
    recipe = {"width": 4, "batch_size": 16, "residual": True}
    mintage.train(data, "pix2pix", images=1, recipe=recipe, folder=tmp_path / "model", progress=False)
    levels = picture(tmp_path / "a.png", 30, 21)
    Image.fromarray(levels).convert("L").save(tmp_path / "a.png")
    translated(tmp_path, "a.png", "--out", "out", "--fit", "tiles", "--release", "model")
    gray = np.asarray(Image.open(tmp_path / "a.png"), int)
    assert np.abs(pixels(tmp_path / "out/a.png") - gray[..., None]).max() <= 8


def test_a_translator_that_enlarges_enlarges_tiles_too(tmp_path: Path) -> None:
    images = torch.rand(32, 3, 16, 16) * 2 - 1
    data = mintage.Dataset(image=images, source=images[..., ::2, ::2])
    recipe = {"width": 4, "batch_size": 16}
    mintage.train(data, "srgan", images=32, recipe=recipe, folder=tmp_path / "model", progress=False)
    picture(tmp_path / "a.png", 12, 20)
    translated(tmp_path, "a.png", "--out", "out", "--fit", "tiles", "--release", "model")
    assert pixels(tmp_path / "out/a.png").shape == (24, 40, 3)


def test_small_pictures_are_enlarged_whole_or_in_tiles_of_a_whole_number_of_times(tmp_path: Path) -> None:
    for name, side in (("twice", 4), ("odd", 5)):  # 8 rows of 4, or 9 of 5
        images = torch.rand(32, 3, 8 if side == 4 else 9, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
        sources = torch.nn.functional.adaptive_avg_pool2d(images, (side, 4))
        data = mintage.Dataset(image=images, source=sources)
        mintage.train(data, "srgan", images=32, recipe={"width": 4}, folder=tmp_path / name, progress=False)
    picture(tmp_path / "a.png", 10, 7)
    translated(tmp_path, "a.png", "--out", "tiles", "--fit", "tiles", "--release", "twice")
    assert pixels(tmp_path / "tiles/a.png").shape == (20, 14, 3)
    translated(tmp_path, "a.png", "--out", "whole", "--release", "odd")
    assert pixels(tmp_path / "whole/a.png").shape == (9, 8, 3)
    code, said = try_stage_in(tmp_path, "translate", "a.png", "--out", "no", "--fit", "tiles", "--release", "odd")
    assert code == 2
    assert "makes images of 8 x 9 of 4 x 5, which is no whole number of times as large: set --fit to resize" in said


@pytest.mark.parametrize("mode", ["RGBA", "L", "LA", "P", "CMYK", "I;16", "1"])
def test_pictures_of_every_kind_are_taken(tmp_path: Path, model: Path, mode: str) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (8, 8), dtype=np.uint8)
    deep = Image.fromarray(levels.astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(levels).convert(mode)
    deep.save(tmp_path / "a.tif")
    translated(tmp_path, "a.tif", "--out", "out", "--release", str(model))
    assert pixels(tmp_path / "out/a.png").shape == (8, 8, 3)


def test_broken_pictures_are_named_and_the_others_translated(tmp_path: Path, model: Path) -> None:
    picture(tmp_path / "in/good.png")
    (tmp_path / "in/bad.png").write_bytes(b"<html>")
    code, said = try_stage_in(tmp_path, "translate", "in", "--out", "out", "--release", str(model))
    assert code == 2
    assert "1 picture cannot be read: 'bad.png' (its content is no image of a known format)" in said
    assert (tmp_path / "out/good.png").exists()
    assert not (tmp_path / "out/bad.png").exists()


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nowhere"], "'nowhere' is neither a file nor a folder"),
        (["nowhere", "--release", "nothing"], "'nowhere' is neither a file nor a folder"),
        (["a.png", "--release", "models/selected"], "no model was selected here yet (models/selected is missing)"),
        (["empty"], "there is no picture in empty"),
        (["a.png", "--follow", "4"], "--follow is for models that go on with a tune or a clip, and "),
        (["a.png", "a.jpg"], "would both be written to out/a.png"),
        (["a.png", "--release", "nothing"], "nothing/manifest.json is not there"),
        (["a.png", "--release", "noise"], "noise makes images from noise: name one that translates, or find your"),
        (["a.png", "--release", "tunes"], "tunes makes bars from noise: name one that translates\n"),
    ],
)
def test_what_cannot_be_translated_is_one_sentence(
    tmp_path: Path, model: Path, arguments: list[str], part: str
) -> None:
    for name in ("a.png", "a.jpg"):
        picture(tmp_path / name)
    (tmp_path / "empty").mkdir()
    data = mintage.Dataset(image=torch.rand(16, 1, 8, 8) * 2 - 1)
    noise = mintage.train(data, "gan", images=32, recipe={"width": 4}, progress=False).model
    for name in ("noise", "tunes"):
        noise.save(tmp_path / name)
    write_json(tmp_path / "tunes/provenance.json", {"medium": Rolls(60, 8).to_json()})
    given = arguments if "--release" in arguments else [*arguments, "--release", str(model)]
    code, said = try_stage_in(tmp_path, "translate", *given, "--out", "out")
    assert code == 2
    assert said.startswith("error: ")
    assert part in said
    assert "Traceback" not in said
    if "tunes" in arguments:
        with refused("model-does-not-project"):
            projector(str(tmp_path / "tunes"))


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a translator that takes the attributes root and minor beside a picture, and one to translate."""
    folder = tmp_path_factory.mktemp("asked")
    images = torch.rand(16, 3, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1
    attributes = {"root": ["C", "G"] * 8, "minor": [True, True, False, False] * 4}
    data = mintage.Dataset(image=images, source=-images, attributes=attributes)
    recipe = {"width": 4, "batch_size": 8, "condition": "attributes"}
    mintage.train(data, "pix2pix", images=16, recipe=recipe, progress=False).model.save(folder / "model")
    picture(folder / "one.png")
    return folder


def test_what_was_made_with_other_attributes_is_refused_and_in_other_words_for_the_same_is_not(asking: Path) -> None:
    def ask(*asked: str) -> tuple[int, str]:
        options = [word for one in asked for word in ("--ask", one)]
        return try_stage_in(asking, "translate", "one.png", "--release", "model", "--out", "out", *options)

    assert ask("root=G", "minor=true")[0] == 0
    code, said = ask("minor=1", "root=G")
    assert (code, "left 1 picture as it was" in said) == (0, True)
    for other in (["root=C", "minor=true"], ["root=G"], []):
        code, said = ask(*other)
        assert (code, "made of another file, by another model or with other settings" in said) == (2, True), said


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        (["root"], "--ask 'root' is no NAME=VALUE: write such as --ask root=C"),
        (["root="], "--ask 'root=' is no NAME=VALUE"),
        (["root=G", "root=C"], "--ask names 'root' twice: ask for one value of it"),
        (["tempo=3"], "--ask: there is no attribute 'tempo'; known: root, minor"),
        (["rot=G"], "--ask: there is no attribute 'rot': did you mean 'root'?"),
        (["root=3"], "--ask: there is no attribute 'root' that can be 3.0: ask for C or G"),
    ],
)
def test_an_attribute_that_cannot_be_asked_for_is_refused(asking: Path, asked: list[str], sentence: str) -> None:
    options = [word for one in asked for word in ("--ask", one)]
    code, said = try_stage_in(asking, "translate", "one.png", "--release", "model", "--out", "none", *options)
    assert (code, sentence in said) == (2, True), said


def test_noise_makes_the_same_of_a_picture_whatever_else_is_translated_or_lies_there(
    drawing: Path, tmp_path: Path
) -> None:
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        picture(tmp_path / "in" / name, seed=seed)
    whole, alone = (["--release", str(drawing), "--out", out] for out in ("whole", "alone"))
    translated(tmp_path, "in", *whole)
    translated(tmp_path, "in/b.png", *alone)
    assert (tmp_path / "whole/b.png").read_bytes() == (tmp_path / "alone/b.png").read_bytes()
    made = (tmp_path / "whole/c.png").read_bytes()
    (tmp_path / "whole/c.png").unlink()
    translated(tmp_path, "in", *whole)
    assert (tmp_path / "whole/c.png").read_bytes() == made
    levels = pixels(tmp_path / "in/b.png").transpose(2, 0, 1)[None].copy()
    expected = to_uint8(mintage.load(drawing).translate(levels).numpy())[0].transpose(1, 2, 0)
    assert np.array_equal(pixels(tmp_path / "alone/b.png"), expected)
    translated(tmp_path, "in/b.png", *alone[:2], "--out", "other", "--seed", "1")
    assert not np.array_equal(pixels(tmp_path / "other/b.png"), expected)
