"""The explorer without a browser: mixed classes, pictures out of sheets, the runtime, its scripts in node."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from mintage.latent_space import Blend, slerp, truncated
from mintage.model_config import ModelConfig
from mintage.players import build_players
from mintage.sources import for_display
from stages.common.levels import in_range, to_uint8
from stages.common.pictures import encode_png, grid, grid_scale, with_names
from stages.export import to_onnx
from stages.gallery import explorer, runtime
from stages.gallery.mixing import with_weights
from stages.gallery.sheets import row_of, shrunk
from stages.gallery.site import Explorers
from stages.images.fit import Geometry, fitted
from stages.media.images import Images
from tests.refusals import refused
from tests.stages import explorable
from tests.stages.explorable import entry_of, louder, noise_of, publish_model, stand_in
from tests.stages.gallery_sites import Gallery, broken_links, in_node, node, requests

pytestmark = pytest.mark.slow  # most tests export a generator
WAYS = ["concat", "plane", "batch_norm", "shared_batch_norm"]


@pytest.mark.parametrize("way", WAYS)
def test_weights_of_classes_make_what_a_label_makes_and_mixed_ones_what_the_blend_makes(way: str) -> None:
    norm = "layer" if way in ("concat", "plane") else "batch"
    generator, _ = build_players(ModelConfig("dcgan", 8, (3, 16, 12), ("a", "b", "c"), 24, "normal", way, norm), 0)
    louder(generator)
    labeled = to_onnx(generator, 18)
    weighed = with_weights(labeled, 3)
    assert weighed is not None
    latents, labels = torch.randn(4, 24), torch.tensor([0, 2, 1, 1])

    def made(model: bytes, of: Any) -> Any:
        return onnxruntime.InferenceSession(model).run(None, {"latents": latents.numpy(), "labels": of})[0]

    alone = made(weighed, np.eye(3, dtype=np.float32)[labels])
    np.testing.assert_array_equal(alone, made(labeled, labels.numpy()))
    mixed = made(weighed, np.array([[0.75, 0, 0.25]] * 4, np.float32))
    pair = torch.tensor([[0, 2]] * 4)
    with torch.no_grad():
        expected = Blend(generator.eval(), [0.75, 0.25])(latents, pair).numpy()
    assert np.abs(mixed - expected).max() < 1e-5
    assert np.abs(mixed - alone).max() > 1e-3


def test_a_generator_that_reads_its_labels_otherwise_is_not_mixed() -> None:
    generator, _ = build_players(explorable.OF_CLASSES, 0)
    labeled = to_onnx(generator, 18)
    assert with_weights(labeled, 4) is None  # its table has another number of classes
    plain, _ = build_players(explorable.NOISE, 0)
    assert with_weights(to_onnx(plain, 18), 3) is None


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 12, 20), (1, 100, 40)])
@pytest.mark.parametrize("named", [True, False])
def test_the_pictures_of_a_sheet_come_out_as_they_went_in(shape: tuple[int, int, int], named: bool) -> None:
    images = noise_of(shape)
    sheet = grid(images, 10, grid_scale(*shape[1:]))
    png = encode_png(with_names(sheet, ["source", "translation", "truth"]) if named else sheet)
    for row in range(3):
        np.testing.assert_array_equal(row_of(png, shape, row), images[10 * row : 10 * row + 10])
    assert row_of(png, shape, 3) is None


def test_a_sheet_of_another_layout_gives_no_pictures() -> None:
    assert row_of(encode_png(noise_of((1, 107, 1067))[0]), (1, 8, 8), 0) is None
    assert row_of(encode_png(grid(noise_of((1, 8, 8)), 7, 12)), (1, 8, 8), 0) is None


@pytest.mark.parametrize(("height", "width"), [(8, 8), (4, 6), (5, 12)])
def test_small_sources_are_as_they_were_before_they_were_enlarged_for_the_sheet(height: int, width: int) -> None:
    small = noise_of((3, height, width))
    shown = to_uint8(for_display(torch.from_numpy(in_range(small)), (3, 8, 12)).numpy())
    if height == 8:
        assert shrunk(shown, (3, 8, 8)).shape == small.shape
    np.testing.assert_array_equal(shrunk(shown, (3, height, width)), small)


@pytest.fixture
def gallery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gallery:
    """Without npm, and with nothing kept."""
    monkeypatch.setenv("MINTAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda name: None)
    return Gallery(tmp_path)


def test_without_npm_pages_are_built_without_an_explorer_and_the_reason_says_what_to_do(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = publish_model(gallery, tmp_path / "model", explorable.NOISE).release
    built = gallery.build()
    assert "npm is not installed" in str(built.unexplored)
    assert runtime.ARCHIVE in str(built.unexplored)
    assert "explore" not in [given.get("id") for _, given in gallery.page_of(release).found]
    archive = stand_in(tmp_path, monkeypatch)
    built = gallery.build(explorers=Explorers(archive=archive))
    assert (built.written, built.unexplored) == (1, None)
    assert "explore" in [given.get("id") for _, given in gallery.page_of(release).found]
    assert broken_links(gallery) == []
    assert requests(gallery) == []
    before = gallery.written()
    assert gallery.build().written == 0  # the runtime is there: nobody asks for it again
    assert gallery.written() == before
    assert gallery.build(explorers=Explorers(wanted=False)).written == 1
    assert [*gallery.site.rglob("*.js")] == [*(gallery.site / "explorer").iterdir()] == []
    assert "script-src 'none'" in (gallery.site / f"releases/{release}/index.html").read_text()


def test_a_release_whose_generator_a_browser_cannot_show_needs_no_runtime(gallery: Gallery, tmp_path: Path) -> None:
    points = ModelConfig("points", 8, (1, 1, 2), None, 12, "normal")
    release = publish_model(gallery, tmp_path / "model", points).release
    built = gallery.build()
    assert (built.releases, built.unexplored) == (1, None)
    assert entry_of(gallery, release)["explorable"] is False


def test_hostile_names_of_classes_and_attributes_are_text_in_the_explorer(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("</script><script>alert(1)</script>", "' onload='alert(1)", "a\nb\u2028c", "ש<b>")
    classes = replace(explorable.OF_CLASSES, classes=names)
    attributes = replace(explorable.OF_ATTRIBUTES, attributes=(*names, f"{names[0]}=red", f"{names[0]}=black"))
    several = [publish_model(gallery, tmp_path / str(len(way.classes or ())), way) for way in (classes, attributes)]
    assert gallery.build(explorers=Explorers(archive=stand_in(tmp_path, monkeypatch))).left_out == []
    for one in several:
        elements = gallery.page_of(one.release)
        scripts = [given for tag, given in elements.found if tag == "script"]
        assert scripts == [{"defer": None, "src": "../../explorer/explorer.js"}]
        assert not any(key.startswith("on") for _, given in elements.found for key in given)
        assert not any(tag == "b" for tag, _ in elements.found)
        script = (gallery.site / "releases" / one.release / "explorer.js").read_text()
        assert script.isascii()
        facts, _, view = script.partition("\n")
        assert json.loads(facts.removeprefix("const RELEASE = ").removesuffix(";"))["words"]["one"] == "image"
        assert view == Images().view((1, 8, 8))
    assert broken_links(gallery) == []


def test_a_large_generator_stays_in_the_store_and_its_page_says_so(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explorer, "MOST_BYTES", 1000)
    release = publish_model(gallery, tmp_path / "model", explorable.NOISE).release
    assert gallery.build().unexplored is None
    assert "There is no explorer of this generator here. It has" in gallery.page_of(release).text


def test_a_damaged_generator_is_named_and_its_release_left_out(
    gallery: Gallery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = publish_model(gallery, tmp_path / "model", explorable.NOISE).release
    gallery.store.write(f"releases/{release}/generator.onnx", b"another")
    (left_out,) = gallery.build(explorers=Explorers(archive=stand_in(tmp_path, monkeypatch))).left_out
    assert "generator.onnx is damaged: its SHA-256" in left_out


def test_an_archive_that_is_not_the_pinned_one_is_refused(gallery: Gallery, tmp_path: Path) -> None:
    publish_model(gallery, tmp_path / "model", explorable.NOISE)
    (tmp_path / "other.tgz").write_bytes(b"other")
    with refused("runtime-not-itself", "other.tgz"):
        gallery.build(explorers=Explorers(archive=tmp_path / "other.tgz"))
    with refused("runtime-unreadable", "none.tgz"):
        gallery.build(explorers=Explorers(archive=tmp_path / "none.tgz"))


def test_npm_is_asked_once_and_what_it_brings_is_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = stand_in(tmp_path, monkeypatch)
    npm = tmp_path / "bin/npm"
    npm.parent.mkdir()
    npm.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\nfor last; do :; done\ncp {archive} "$last"\n')
    npm.chmod(0o755)
    monkeypatch.setenv("MINTAGE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(npm.parent), prepend=":")
    for site in ("one", "two"):
        runtime.bring(tmp_path / site)
    assert "onnxruntime-web@1.30.0" in (tmp_path / "asked").read_text()
    assert len((tmp_path / "asked").read_text().splitlines()) == 1
    assert (tmp_path / "two" / runtime.SCRIPT).read_text().startswith(runtime.MEMBERS[0])
    npm.write_text("#!/bin/sh\necho no network >&2\nexit 1\n")
    (tmp_path / "cache" / runtime.ARCHIVE).write_bytes(b"cut off")
    with refused("runtime-missing", "no network"):
        runtime.bring(tmp_path / "three")


@node
def test_noise_is_normal_or_uniform_and_the_same_for_the_same_seed() -> None:
    latents = {"size": 20_000, "distribution": "normal", "categories": 0, "numbers": 0}
    draws = "[1, 1, 2].map((seed) => m.noiseOf(g.latents, seed))"
    first, same, other = np.array(in_node("latents.js", draws, latents=latents))
    assert (first == same).all()
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.03
    assert abs(first.mean()) < 0.03
    assert abs(first.std() - 1) < 0.03
    assert abs((np.abs(first) < 1).mean() - 0.6827) < 0.015
    uniform, *_ = np.array(in_node("latents.js", draws, latents=latents | {"distribution": "uniform"}))
    assert np.abs(uniform).max() < 1
    assert abs(uniform.std() - 3**-0.5) < 0.015


@node
def test_a_walk_and_a_truncation_are_those_of_the_library() -> None:
    random = np.random.default_rng(0)
    a, b = random.standard_normal((2, 100))
    walk = in_node("latents.js", "[0, .25, .5, .75, 1].map((t) => m.between(g.a, g.b, t, 'normal'))", a=[*a], b=[*b])
    np.testing.assert_allclose(walk, slerp(torch.tensor(a), torch.tensor(b), 5).numpy(), atol=1e-5)
    for limit in (0.2, 1.0, 2.5):
        cut = in_node("latents.js", "m.truncated(g.a, g.limit)", a=[*a], limit=limit)
        np.testing.assert_allclose(cut, truncated(torch.tensor(a), limit).numpy(), atol=1e-5)


@node
def test_moved_noise_is_as_long_as_it_was_and_uniform_noise_stays_within_its_bounds() -> None:
    latents = {"size": 50, "distribution": "normal", "categories": 0, "numbers": 0}
    ways = "[[0, 0], [.3, 0], [0, 1], [-1, .7]].map(([x, y]) => m.moved(m.noiseOf(g.latents, 7), x, y, g.latents))"
    moved = np.array(in_node("latents.js", ways, latents=latents))
    lengths = np.linalg.norm(moved, axis=1)
    np.testing.assert_allclose(lengths, lengths[0])
    assert moved[0] @ moved[2] == pytest.approx(0, abs=1e-9)  # a right angle at 1
    uniform = np.array(in_node("latents.js", ways, latents=latents | {"distribution": "uniform"}))
    assert np.abs(uniform).max() <= 1
    assert (uniform[1] != uniform[0]).any()


@node
def test_values_become_the_levels_that_python_makes_of_them() -> None:
    values = np.random.default_rng(0).uniform(-1.2, 1.2, 5000).astype(np.float32)
    halves = in_range(np.arange(256)) + np.float32(1 / 255)
    for given in (values, halves.astype(np.float32)):
        levels = in_node("pictures.js", "[...m.levelsOf(Float32Array.from(g.values))]", values=[*map(float, given)])
        np.testing.assert_array_equal(levels, to_uint8(given))
    back = in_node("pictures.js", "[...m.valuesOf(Array.from({length: 256}, (_, level) => level))]")
    np.testing.assert_array_equal(np.float32(back), in_range(np.arange(256)))


@node
@pytest.mark.parametrize(("wide", "high"), [(8, 8), (40, 23), (300, 111), (5, 90), (3, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_a_picture_of_ones_own_is_resized_as_python_does_within_a_level(wide: int, high: int, channels: int) -> None:
    random = np.random.default_rng(wide)
    smooth = np.add.outer(np.linspace(0, 120, high), np.linspace(0, 100, wide))[..., None]
    picture = (smooth + random.integers(0, 35, (high, wide, channels))).astype(np.uint8)
    expected = fitted(picture if channels == 3 else picture[..., 0], Geometry(8, 12, "resize"))
    planes = np.moveaxis(picture, -1, 0).flatten().tolist()
    script = "[...m.resized(Uint8ClampedArray.from(g.planes), [g.wide, g.high], [12, 8])]"
    found = np.array(in_node("pictures.js", script, planes=planes, wide=wide, high=high)).reshape(channels, 8, 12)
    assert np.abs(found - np.moveaxis(expected.reshape(8, 12, channels), -1, 0)).max() <= 1
