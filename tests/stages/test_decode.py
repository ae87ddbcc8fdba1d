"""Pictures of every kind to gray or RGB in [-1,1], and to one size."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stages.common.levels import FloatImages, floats, to_uint8
from stages.images.decode import UndecodableError, decode
from stages.images.fit import Fit, Geometry, fitted
from stages.images.tensors import tensors
from tests.stages.source_files import encoded, noise

LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16)


def values(content: bytes, channels: int = 1, fit: Fit = "resize", size: tuple[int, int] | None = None) -> FloatImages:
    """Decode to `[C,H,W]`, of its own size unless `size` says another."""
    picture = decode(content, channels, 10**6).picture
    height, width = size or picture.shape[:2]
    return floats(tensors([fitted(picture, Geometry(height, width, fit, background="#000000"))], channels)[0])


def test_all_256_levels_go_to_the_range_and_back_without_loss() -> None:
    got = values(encoded(Image.fromarray(LEVELS)))
    assert got.dtype == np.float32
    assert (got.min(), got.max()) == (-1.0, 1.0)
    np.testing.assert_array_equal(to_uint8(got)[0], LEVELS)


def test_rgb_keeps_its_channels_in_order() -> None:
    picture = noise(1, 4, 5, 3)[0]
    np.testing.assert_array_equal(to_uint8(values(encoded(Image.fromarray(picture)), 3)), picture.transpose(2, 0, 1))


def test_gray_becomes_three_equal_channels() -> None:
    got = values(encoded(Image.fromarray(LEVELS)), 3)
    assert got.shape == (3, 16, 16)
    np.testing.assert_array_equal(to_uint8(got), np.stack([LEVELS] * 3))


@pytest.mark.parametrize(("color", "luma"), [((255, 0, 0), 0.299), ((0, 255, 0), 0.587), ((0, 0, 255), 0.114)])
def test_color_becomes_gray_by_the_luminance_of_itu_r_601(color: tuple[int, int, int], luma: float) -> None:
    got = values(encoded(Image.new("RGB", (8, 8), color)))
    assert (got + 1) / 2 == pytest.approx(luma, abs=0.5 / 255)


def test_16_bit_gray_is_scaled_and_not_clipped() -> None:
    picture = np.array([[0, 1, 257, 32768, 65535]], np.uint16)
    for kind in ("PNG", "TIFF", "PPM"):
        got = values(encoded(Image.fromarray(picture), kind))[0]
        np.testing.assert_allclose(got, picture / 65535 * 2 - 1, atol=1e-6)
        assert (got[0, 0], got[0, -1]) == (-1.0, 1.0)


def test_floating_point_from_0_to_1_is_black_to_white() -> None:
    got = values(encoded(Image.fromarray(np.array([[0.0, 0.25, 1.0]], np.float32)), "TIFF"), 3)
    assert got[:, 0].tolist() == [[-1.0, -0.5, 1.0]] * 3


def test_one_bit_is_black_and_white() -> None:
    got = values(encoded(Image.fromarray(np.array([[True, False]]))))
    assert got.tolist() == [[[1.0, -1.0]]]


def test_a_palette_gives_its_colors_and_its_transparent_color_is_white() -> None:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    assert to_uint8(values(encoded(image), 3)).reshape(3, 2).T.tolist() == [[255, 0, 0], [0, 0, 255]]
    assert to_uint8(values(encoded(image, transparency=1), 3)).reshape(3, 2).T.tolist() == [[255, 0, 0], [255] * 3]
    assert to_uint8(values(encoded(image, "GIF", transparency=1), 3))[:, 0, 1].tolist() == [255] * 3


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
def test_transparency_lies_over_white(kind: str) -> None:
    picture = np.array([[[0, 0, 0, 0], [0, 0, 0, 255], [200, 100, 0, 255]]], np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {}
    got = to_uint8(values(encoded(Image.fromarray(picture), kind, **options), 3)).reshape(3, 3).T
    assert got.tolist() == [[255, 255, 255], [0, 0, 0], [200, 100, 0]]


def test_half_transparent_gray_lies_half_way_to_white() -> None:
    got = values(encoded(Image.new("LA", (1, 1), (100, 128))))
    assert to_uint8(got)[0, 0, 0] == pytest.approx(100 * 128 / 255 + 255 * 127 / 255, abs=1)


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_becomes_the_colors_it_prints(kind: str) -> None:
    got = to_uint8(values(encoded(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), kind), 3))
    assert got[:, 8, 8] == pytest.approx([255, 0, 0], abs=2)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_a_picture_is_turned_upright_by_its_exif_orientation(kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter, clockwise
    lying = np.zeros((8, 16, 3), np.uint8)
    lying[:, 8:] = 255  # the white half is on the right
    got = values(encoded(Image.fromarray(lying), kind, exif=exif))[0]
    assert got.shape == (16, 8)
    assert got[:7].max() < -0.9
    assert got[9:].min() > 0.9


def test_the_first_frame_of_an_animation_is_taken() -> None:
    frames = [Image.new("L", (8, 8), level) for level in (10, 200)]
    got = values(encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert set(to_uint8(got).ravel().tolist()) == {10}


def test_a_picture_is_known_by_its_content_and_its_kind_is_remembered() -> None:
    picture = decode(encoded(Image.new("CMYK", (5, 7)), "TIFF"), 1, 100)
    assert (picture.mode, picture.channels, picture.height, picture.width) == ("CMYK", 4, 7, 5)


def png_saying(width: int, height: int) -> bytes:
    """A PNG of one black pixel whose header says another size."""
    content = bytearray(encoded(Image.new("L", (1, 1))))
    content[16:24] = struct.pack(">2I", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def damaged_png() -> bytes:
    content = encoded(Image.fromarray(LEVELS))
    middle = len(content) // 2
    return content[:middle] + b"????" + content[middle + 4 :]


JPEG = encoded(Image.fromarray(noise(1, 64, 64)[0]), "JPEG")
UNDECODABLE = {
    "nothing": (b"", "no image of a known format"),
    "a web page": (b"<!doctype html><title>404</title>", "no image of a known format"),
    "PostScript, for which Pillow would start a program": (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n",
        "no image of a known format",
    ),
    "a JPEG cut in half": (JPEG[: len(JPEG) // 2], "truncated"),
    "the beginning of a JPEG": (JPEG[:20], "no image of a known format"),
    "a PNG cut in half": (encoded(Image.fromarray(noise(1, 64, 64)[0]))[:2000], "truncated"),
    "a damaged PNG": (damaged_png(), ""),
    "a decompression bomb": (png_saying(60000, 60000), "60000 x 60000 pixels, more than 1000000"),
    "a PNG with fewer pixels than its header says": (png_saying(900, 900), "truncated"),
    "32-bit numbers without a white": (
        encoded(Image.fromarray(np.array([[0, 70000]], np.int32)), "TIFF"),
        "outside 0 to 65535",
    ),
    "floating point without a white": (
        encoded(Image.fromarray(np.array([[0, 200]], np.float32)), "TIFF"),
        "outside 0 to 1",
    ),
    "a picture of NaN": (encoded(Image.fromarray(np.array([[np.nan]], np.float32)), "TIFF"), "NaN or infinite"),
}


@pytest.mark.parametrize(("content", "reason"), UNDECODABLE.values(), ids=UNDECODABLE.keys())
def test_what_cannot_be_decoded_has_a_reason_in_one_line_and_the_same_each_time(content: bytes, reason: str) -> None:
    said = []
    for _ in range(2):
        with pytest.raises(UndecodableError) as error:
            decode(content, 1, 10**6)
        said.append(str(error.value))
    assert reason in said[0]
    assert said[0] == said[1]
    assert said[0]
    assert "\n" not in said[0]
    assert " at 0x" not in said[0]


def ramp(height: int, width: int) -> Image.Image:
    return Image.fromarray(np.broadcast_to(np.linspace(0, 255, width).astype(np.uint8), (height, width)).copy())


@pytest.mark.parametrize("fit", ["resize", "crop", "letterbox", "pad"])
@pytest.mark.parametrize("size", [(8, 8), (28, 28), (48, 80), (7, 31), (1, 300)])
@pytest.mark.parametrize("source", [(8, 8), (33, 20), (1, 1), (3, 200), (200, 3)])
def test_every_fit_gives_the_asked_size_in_range(fit: Fit, size: tuple[int, int], source: tuple[int, int]) -> None:
    got = values(encoded(Image.fromarray(noise(1, *source)[0])), 3, fit, size)
    assert got.shape == (3, *size)
    assert got.min() >= -1
    assert got.max() <= 1


@pytest.mark.parametrize("fit", ["resize", "crop", "letterbox", "pad"])
def test_a_picture_of_the_asked_size_is_not_resampled(fit: Fit) -> None:
    picture = noise(1, 9, 13)[0]
    np.testing.assert_array_equal(to_uint8(values(encoded(Image.fromarray(picture)), 1, fit, (9, 13)))[0], picture)


def test_crop_cuts_the_center_exactly_where_nothing_needs_scaling() -> None:
    picture = noise(1, 8, 21)[0]
    np.testing.assert_array_equal(
        to_uint8(values(encoded(Image.fromarray(picture)), 1, "crop", (8, 8)))[0], picture[:, 6:14]
    )


def test_crop_keeps_the_aspect_and_resize_does_not() -> None:
    """A circle in a wide picture: as wide as high after crop, squeezed after resize."""
    y, x = np.mgrid[:64, :128]
    disc = Image.fromarray(((np.hypot(y - 31.5, x - 63.5) < 24) * 255).astype(np.uint8))
    extents: dict[Any, tuple[int, int]] = {}
    for fit in ("crop", "resize"):
        white = values(encoded(disc), 1, fit, (32, 32))[0] > 0
        extents[fit] = (int(white.any(1).sum()), int(white.any(0).sum()))
    assert extents == {"crop": (24, 24), "resize": (24, 12)}


@pytest.mark.parametrize("fit", ["letterbox", "pad"])
def test_letterbox_and_pad_keep_the_whole_picture_on_the_background(fit: Fit) -> None:
    got = to_uint8(values(encoded(Image.new("L", (20, 10), 255)), 1, fit, (16, 16)))[0]
    assert (got[4:12] == 255).all()
    assert (got[:4] == 0).all()
    assert (got[12:] == 0).all()


def test_shrinking_averages_fine_detail_instead_of_skipping_it() -> None:
    stripes = np.tile(np.array([[0, 255]], np.uint8), (64, 32))
    got = to_uint8(values(encoded(Image.fromarray(stripes)), 1, "resize", (8, 8)))[0]
    assert np.abs(got[2:-2, 2:-2].astype(float) - 127.5).max() < 10


@pytest.mark.parametrize("size", [(8, 8), (8, 100)])
def test_scaling_keeps_a_ramp_a_ramp(size: tuple[int, int]) -> None:
    got = fitted(np.asarray(ramp(16, 64)), Geometry(*size, "resize")).astype(float)
    assert (np.diff(got[4]) >= 0).all()
    assert got[4].mean() == pytest.approx(127, abs=1.5)


def test_a_16_bit_picture_is_resized_in_its_depth_and_stays_in_range() -> None:
    edge = np.zeros((16, 16), np.uint16)
    edge[:, 8:] = 65535
    got = values(encoded(Image.fromarray(edge)), 1, "resize", (12, 12))
    assert (got.min(), got.max()) == (-1.0, 1.0)
    deep = values(encoded(Image.fromarray(np.full((16, 16), 1000, np.uint16))), 1, "resize", (8, 8))
    assert deep == pytest.approx(1000 / 65535 * 2 - 1, abs=1e-6)


def test_nothing_is_read_past_the_header_of_a_picture_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", refuse)
    with pytest.raises(UndecodableError, match="60000 x 60000"):
        decode(png_saying(60000, 60000), 1, 10**6)
    assert io.BytesIO(png_saying(60000, 60000)).getbuffer().nbytes < 200
