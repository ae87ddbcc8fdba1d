"""Where the pixels of a picture go: filters, cuts, frames, and what is refused."""

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_images

from stages.common.levels import to_uint8
from stages.common.split import Split
from stages.images import fit
from stages.images.area import shrunk
from stages.images.decode import decode
from stages.images.fit import Fit, Geometry, Resample, TooSmallError
from stages.normalize import summary
from tests.refusals import refused
from tests.stages.source_files import encoded, ingested, noise, normalized, write_tree
from tests.stages.test_normalize import pixels_by_key


def fitted(image: Image.Image, to: Geometry, place: float | None = None) -> Image.Image:
    return Image.fromarray(fit.fitted(np.asarray(image), to, place))


def as_array(image: Image.Image) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    return np.asarray(image)


def test_area_is_the_mean_of_the_pixels_under_each_new_one() -> None:
    picture = noise(1, 12, 20)[0]
    got = as_array(fitted(Image.fromarray(picture), Geometry(3, 5, "resize", "area")))
    means = picture.reshape(3, 4, 5, 4).mean((1, 3))
    assert np.abs(got - means).max() <= 0.5


def test_area_of_a_part_of_a_pixel_counts_in_part() -> None:
    got = as_array(fitted(Image.fromarray(np.array([[0, 90, 240]], np.uint8)), Geometry(1, 2, "resize", "area")))
    assert got.tolist() == [[30, 190]]  # (0 + 90/2) / 1.5 and (90/2 + 240) / 1.5


@given(
    size=st.tuples(*[st.integers(1, 40)] * 2), to=st.tuples(*[st.integers(1, 40)] * 2), mode=st.sampled_from(["L", "F"])
)
def test_area_is_the_mean_whatever_the_sizes(size: tuple[int, int], to: tuple[int, int], mode: str) -> None:
    height, width = min(size[0], to[0]), min(size[1], to[1])
    picture = noise(1, *size)[0]
    got = shrunk(np.asarray(Image.fromarray(picture).convert(mode)), height, width)
    fine = picture.repeat(height, 0).repeat(width, 1)  # so that every new pixel has whole ones under it
    means = fine.reshape(height, size[0], width, size[1]).mean((1, 3))
    assert np.abs(got - means).max() <= (0.5 + 1e-9 if mode == "L" else 1e-4)


def test_lanczos_keeps_a_fine_line_stronger_than_area() -> None:
    line = np.zeros((64, 64), np.uint8)
    line[:, 30:34] = 255
    peaks = [
        as_array(fitted(Image.fromarray(line), Geometry(16, 16, "resize", kind))).max() for kind in ("lanczos", "area")
    ]
    assert peaks[0] > peaks[1]


@pytest.mark.parametrize("resample", ["lanczos", "area"])
def test_a_picture_that_shrinks_in_one_direction_and_grows_in_the_other_stays_smooth(resample: Resample) -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 8).astype(np.uint8), (64, 8)).copy()
    got = as_array(fitted(Image.fromarray(ramp), Geometry(8, 64, "resize", resample))).astype(int)
    assert (np.diff(got[4]) >= -1).all()
    assert np.diff(got[4]).max() < 255 / 7  # no steps as high as those of the pixels before


def test_a_large_picture_is_shrunk_as_lanczos_alone_would_but_for_a_level_or_two() -> None:
    soft = Image.fromarray(noise(1, 40, 60, 3)[0]).resize((960, 640), Image.Resampling.BICUBIC)
    got = as_array(fitted(soft, Geometry(30, 50, "resize"))).astype(int)
    alone = as_array(soft.resize((50, 30), Image.Resampling.LANCZOS))
    assert np.abs(got - alone).mean() < 1
    assert np.abs(got - alone).max() <= 5


@pytest.mark.parametrize("gap", [2.0, 4.0])
def test_a_photograph_is_shrunk_nearer_to_lanczos_alone_than_by_another_filter(gap: float) -> None:
    """And is changed by less than by having been a JPEG; from four times the size at most, 4 is Lanczos alone."""
    changes: dict[str, list[float]] = {"gap": [], "bicubic": [], "jpeg": []}
    for photograph in load_sample_images().images:
        for top in (0, 171):
            whole = Image.fromarray(photograph[top : top + 256, top : top + 256])
            content = encoded(whole, "JPEG", quality=90)
            found = decode(content, 3, 10**6, least=int(64 * gap))
            alone = levels_of(Image.open(io.BytesIO(content)), Image.Resampling.LANCZOS)
            others = {
                "gap": fit.fitted(found.picture, Geometry(64, 64, "resize", gap=gap)),
                "bicubic": levels_of(Image.open(io.BytesIO(content)), Image.Resampling.BICUBIC),
                "jpeg": levels_of(whole, Image.Resampling.LANCZOS),
            }
            for name, other in others.items():
                changes[name].append(np.abs(other.astype(int) - alone).mean())
    means = {name: np.mean(values) for name, values in changes.items()}
    assert means["gap"] < min(means["bicubic"], means["jpeg"])
    assert (means["gap"] == 0) == (gap == 4.0)


def levels_of(image: Image.Image, resampling: Image.Resampling) -> "np.ndarray[tuple[int, ...], np.dtype[np.int64]]":
    return np.asarray(image.resize((64, 64), resampling)).astype(int)


@pytest.mark.parametrize("turned", [1, 6])
@pytest.mark.parametrize(
    ("fit", "resample", "most"),
    [("resize", "lanczos", 5), ("resize", "area", 1), ("crop", "lanczos", 12), ("crop", "area", 1)],
)
def test_a_large_jpeg_is_shrunk_as_from_all_its_pixels(
    tmp_path: Path, fit: Fit, resample: Resample, most: int, turned: int
) -> None:
    """Decoded at a smaller scale, for Lanczos, whose cuts may then lie an eighth of a pixel aside; area is exact."""
    exif = Image.Exif()
    exif[0x0112] = turned
    (tmp_path / "tree").mkdir()
    for number, image in enumerate(noise(3, 6, 9, 3)):
        soft = Image.fromarray(image).resize((900, 600), Image.Resampling.BICUBIC)
        (tmp_path / f"tree/{number}.jpg").write_bytes(encoded(soft, "JPEG", exif=exif, quality=95))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    normalized(tmp_path, channels=3, height=24, width=24, fit=fit, resample=resample)
    filters = {"lanczos": Image.Resampling.LANCZOS, "area": Image.Resampling.BOX}
    for key, got in pixels_by_key(tmp_path).items():
        with Image.open(tmp_path / "tree" / key) as jpeg:
            whole = ImageOps.exif_transpose(jpeg)
        part = ImageOps.fit(whole, (600, 600)) if fit == "crop" else whole
        filtered = np.asarray(part.resize((24, 24), filters[resample])).astype(int)
        difference = np.abs(to_uint8(got).transpose(1, 2, 0) - filtered)
        assert difference.max() <= most
        assert difference.mean() < most / 4
    stats = pd.read_parquet(tmp_path / "normalized/stats.parquet")
    assert set(zip(stats["source_width"], stats["source_height"], strict=True)) == {(900, 600)}


def disc(height: int, width: int) -> Image.Image:
    y, x = np.mgrid[:height, :width]
    radius = np.hypot(y - (height - 1) / 2, x - (width - 1) / 2)
    return Image.fromarray(((radius < 0.4 * min(height, width)) * 255).astype(np.uint8))


@pytest.mark.parametrize(("fit", "extent"), [("letterbox", 24), ("pad", 12)])
def test_letterbox_fills_the_frame_and_pad_never_enlarges(fit: Fit, extent: int) -> None:
    got = as_array(fitted(disc(16, 32), Geometry(64, 64, fit, background="#000000"))) > 128
    assert (got.any(1).sum(), got.any(0).sum()) == (extent, extent)
    larger = as_array(fitted(disc(128, 256), Geometry(64, 64, fit, background="#000000"))) > 128
    assert larger.any(0).sum() == 26  # 0.8 of 32, rounded to whole pixels


def test_the_background_is_in_the_colors_of_the_picture() -> None:
    frame = Geometry(4, 2, "letterbox", background="#ff8000")
    assert as_array(fitted(Image.new("RGB", (2, 2)), frame))[0, 0].tolist() == [255, 128, 0]
    gray = 0.299 * 255 + 0.587 * 128
    assert as_array(fitted(Image.new("L", (2, 2)), frame))[0, 0] == pytest.approx(gray, abs=1)
    assert as_array(fitted(Image.new("F", (2, 2)), frame))[0, 0] == pytest.approx(gray, abs=1)


@pytest.mark.parametrize(
    ("fit", "size", "refused"),
    [
        ("resize", (7, 20), True),
        ("resize", (8, 8), False),
        ("crop", (7, 20), True),
        ("crop", (20, 8), False),
        ("letterbox", (7, 7), True),
        ("letterbox", (7, 8), False),
        ("pad", (1, 1), False),
    ],
)
def test_enlarging_is_refused_where_the_fit_would_do_it(fit: Fit, size: tuple[int, int], refused: bool) -> None:
    picture = Image.new("L", (size[1], size[0]))
    geometry = Geometry(8, 8, fit, enlarge=False)
    if refused:
        with pytest.raises(TooSmallError, match=r"enlarged from .* to .* pixels, which normalize\.upscale refuses"):
            fitted(picture, geometry)
    else:
        assert fitted(picture, geometry).size == (8, 8)
    assert fitted(picture, Geometry(8, 8, fit, enlarge=True)).size == (8, 8)


def test_a_cut_lies_where_it_is_told_and_in_the_middle_otherwise() -> None:
    wide = Image.fromarray(np.arange(20, dtype=np.uint8)[None].repeat(10, 0))
    cut = Geometry(10, 10, "crop")
    assert [as_array(fitted(wide, cut, place))[0, 0] for place in (None, 0.0, 0.5, 0.999)] == [5, 0, 5, 10]


def test_random_cuts_follow_the_content_and_the_seed_alone(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    for number, image in enumerate(noise(30, 8, 40)):
        (tree / f"{number:02d}.png").write_bytes(encoded(Image.fromarray(image)))
    found = []
    for prefix, seed in (("", 0), ("z", 0), ("z", 1)):
        for path in sorted(tree.iterdir()):
            path.rename(path.with_name(prefix + path.name.removeprefix("z")))
        ingested(tmp_path / "raw", path=str(tree))
        normalized(tmp_path, fit="crop", crop_position="random", crop_seed=seed)
        found.append([image for _, image in sorted(pixels_by_key(tmp_path).items())])
    assert all((one == other).all() for one, other in zip(found[0], found[1], strict=True))
    assert sum((one != other).any() for one, other in zip(found[1], found[2], strict=True)) > 20
    normalized(tmp_path, fit="crop")
    middle = [image for _, image in sorted(pixels_by_key(tmp_path).items())]
    assert sum((one != other).any() for one, other in zip(found[0], middle, strict=True)) > 20


def test_where_a_cut_lies_tells_nothing_of_the_split(tmp_path: Path) -> None:
    """Both are drawn by the content, with the same seed: the held-out images are not those cut at the left."""
    tree = tmp_path / "tree"
    tree.mkdir()
    ramp = np.broadcast_to(np.linspace(0, 255, 256).astype(np.uint8), (8, 256)).copy()
    for number in range(60):
        ramp[0, 0] = number  # so that no two are the same
        (tree / f"{number:02d}.png").write_bytes(encoded(Image.fromarray(ramp)))
    ingested(tmp_path / "raw", path=str(tree))
    drawn = {"fit": "crop", "crop_position": "random", "split_seed": 0, "crop_seed": 0, "holdout": 0.5}
    normalized(tmp_path, **drawn, near_copies=None)  # all are nearly the same
    held_out = [image[0, 4].mean() for image in Split(tmp_path / "normalized/holdout").images()]
    assert min(held_out) < -0.5
    assert max(held_out) > 0.5


def test_images_that_are_too_small_are_left_out_by_name(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"": 9}, size=16)
    (tmp_path / "tree/small.png").write_bytes(encoded(Image.new("L", (15, 16))))
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    manifest = normalized(tmp_path, height=16, width=16, upscale="refuse", max_broken=0.1)
    assert manifest["counts"]["broken"] == 1
    assert summary(manifest)[-2] == "1 of 10 images is broken and was left out:"
    assert "from 16 x 15 to 16 x 16 pixels, which normalize.upscale refuses" in summary(manifest)[-1]
    assert normalized(tmp_path, height=16, width=16, upscale="allow", max_broken=0.0)["counts"]["broken"] == 0


def test_who_asks_for_more_pixels_than_there_are_is_advised_to_ask_for_fewer(tmp_path: Path) -> None:
    write_tree(tmp_path / "tree", {"": 3}, size=16)
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    lower = "set normalize.upscale to allow, or lower normalize.height and width"
    with refused("images-broken", lower) as found:
        normalized(tmp_path, height=64, width=64, upscale="refuse", max_broken=0.0)
    said = str(found.value)
    assert said.endswith(lower), "no limit helps"
    assert said.count("would have to be enlarged") == 1
    (tmp_path / "tree/broken.png").write_bytes(b"no picture")
    ingested(tmp_path / "raw", path=str(tmp_path / "tree"))
    with refused("images-broken", f"{lower} for those that are too small; mend or remove the others"):
        normalized(tmp_path, height=64, width=64, upscale="refuse", max_broken=0.0)
