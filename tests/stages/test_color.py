"""Colors and levels: profiles, what lies under transparency, every type of number to [-1,1] and back."""

import struct
import zlib
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageCms

from stages.common.levels import FloatImages, floats, to_uint8
from stages.images.decode import decode
from stages.images.fit import Geometry, fitted
from stages.images.tensors import tensors
from tests.stages.source_files import encoded, noise

LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16)


def values(content: bytes, channels: int = 1, background: str = "#ffffff") -> FloatImages:
    """Decode to `[C,H,W]`."""
    return floats(tensors([decode(content, channels, 10**6, background).picture], channels)[0])


def profile(gamma: float, swapped: bool = False) -> bytes:
    """An ICC profile with sRGB's primaries, red and green swapped on demand, and a power curve."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tags = {
        plain[at : at + 4]: struct.unpack(">2I", plain[at + 4 : at + 12])
        for at in range(132, 132 + 12 * count(plain), 12)
    }
    content = bytearray(plain)
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        start, _ = tags[name]
        content[start : start + 16] = (
            b"curv" + struct.pack(">3I", 0, 1, 0)[:8] + struct.pack(">H", round(gamma * 256)) + b"\0\0"
        )
    if swapped:
        red, green = tags[b"rXYZ"][0], tags[b"gXYZ"][0]
        content[red : red + 20], content[green : green + 20] = content[green : green + 20], content[red : red + 20]
    return bytes(content)


def count(content: bytes) -> int:
    number: int = struct.unpack(">I", content[128:132])[0]
    return number


def test_a_profile_s_colors_become_those_of_srgb() -> None:
    red = encoded(Image.new("RGB", (4, 4), (255, 0, 0)), icc_profile=profile(2.2, swapped=True))
    assert to_uint8(values(red, 3))[:, 0, 0] == pytest.approx([0, 255, 0], abs=3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_profile_s_curve_counts_in_every_format(kind: str) -> None:
    options = {"lossless": True} if kind == "WEBP" else {}
    content = encoded(Image.new("RGB", (16, 16), (128, 128, 128)), kind, icc_profile=profile(1.0), **options)
    assert to_uint8(values(content, 3))[:, 8, 8] == pytest.approx([188] * 3, abs=2)  # half the light
    assert to_uint8(values(content, 1))[0, 8, 8] == pytest.approx(188, abs=2)


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_a_profile_leaves_transparency_alone(mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (128, 128, 128, 255))
    image.putpixel((1, 0), (0, 0, 0, 0))
    content = encoded(image.convert(mode), icc_profile=profile(1.0))
    assert to_uint8(values(content, 3, "#ff0000"))[:, 0].T.tolist() == [[188] * 3, [255, 0, 0]]


def test_the_profile_of_srgb_changes_no_level() -> None:
    picture = noise(1, 16, 16, 3)[0]
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    for content in (encoded(Image.fromarray(picture), icc_profile=srgb), encoded(Image.fromarray(picture))):
        np.testing.assert_array_equal(to_uint8(values(content, 3)), picture.transpose(2, 0, 1))


@pytest.mark.parametrize("bad", [b"no profile", b"", profile(1.0)[:200]], ids=["text", "empty", "cut"])
def test_a_damaged_profile_is_ignored(bad: bytes) -> None:
    content = encoded(Image.new("RGB", (4, 4), (10, 20, 30)), icc_profile=bad)
    assert to_uint8(values(content, 3))[:, 0, 0].tolist() == [10, 20, 30]


def test_a_profile_of_colors_on_a_gray_picture_is_ignored() -> None:
    content = encoded(Image.fromarray(LEVELS), icc_profile=profile(1.0))
    np.testing.assert_array_equal(to_uint8(values(content))[0], LEVELS)


@pytest.mark.parametrize("background", ["#000000", "#ffffff", "#204060"])
def test_transparent_parts_lie_over_the_background(background: str) -> None:
    under = np.array([int(background[at : at + 2], 16) for at in (1, 3, 5)])
    picture = np.array([[[200, 100, 0, 0], [200, 100, 0, 255], [200, 100, 0, 51]]], np.uint8)
    got = to_uint8(values(encoded(Image.fromarray(picture)), 3, background))[:, 0].T
    assert got[0].tolist() == under.tolist()
    assert got[1].tolist() == [200, 100, 0]
    assert got[2] == pytest.approx(0.2 * np.array([200, 100, 0]) + 0.8 * under, abs=1)


def test_a_profile_of_16_bit_gray_does_not_cost_its_depth() -> None:
    deep = np.array([[0, 1, 300, 65535]], np.uint16)
    got = values(encoded(Image.fromarray(deep), icc_profile=profile(1.0)))[0]
    np.testing.assert_allclose(got, deep / 65535 * 2 - 1, atol=1e-6)


def deep_png(picture: npt.NDArray[np.uint16]) -> bytes:
    """RGB or RGBA `[H,W,C]` of 16 bits; Pillow writes none."""
    height, width, channels = picture.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in picture)
    header = struct.pack(">2I5B", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def deep_tiff(picture: npt.NDArray[np.uint16], order: str, packed: bool) -> bytes:
    """The same as TIFF, of either order of bytes, with or without compression."""
    height, width, channels = picture.shape
    pixels = picture.astype(f"{order}u2").tobytes()
    pixels = zlib.compress(pixels) if packed else pixels
    bits, entries = 8 + len(pixels), 9 + (channels == 4)
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, channels, bits), (259, 3, 1, 8 if packed else 1)]
    tags += [(262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, channels), (278, 3, 1, height), (279, 4, 1, len(pixels))]
    tags += [(338, 3, 1, 2)] * (channels == 4)
    start = bits + 2 * channels
    entry = {3: f"{order}HHIHH", 4: f"{order}HHII"}
    listed = b"".join(
        struct.pack(f"{order}HHII", tag, kind, number, value)
        if kind == 4 or number > 1
        else struct.pack(entry[3], tag, kind, number, value, 0)
        for tag, kind, number, value in tags
    )
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    depth = struct.pack(f"{order}{channels}H", *[16] * channels)
    return head + pixels + depth + struct.pack(f"{order}H", entries) + listed + bytes(4)


DEEP = np.random.default_rng(0).integers(0, 65536, (5, 7, 4), np.uint16)
DEEP[0, 0], DEEP[0, 1] = 0, 65535
DEEP_FILES: dict[str, Callable[[npt.NDArray[np.uint16]], bytes]] = {
    "PNG": deep_png,
    "TIFF": partial(deep_tiff, order="<", packed=False),
    "TIFF, most significant byte first": partial(deep_tiff, order=">", packed=False),
    "TIFF, packed": partial(deep_tiff, order="<", packed=True),
}


@pytest.mark.parametrize("kind", DEEP_FILES)
def test_colors_of_16_bits_keep_their_depth(kind: str) -> None:
    content = DEEP_FILES[kind](DEEP[..., :3])
    got, exact = values(content, 3), DEEP[..., :3].transpose(2, 0, 1) / 65535 * 2 - 1
    np.testing.assert_allclose(got, exact, atol=2e-7)
    assert (got[0, 0, 0], got[0, 0, 1]) == (-1.0, 1.0), "exactly"
    luminance = np.tensordot([0.299, 0.587, 0.114], exact, 1)
    np.testing.assert_allclose(values(content, 1)[0], luminance, atol=3e-7)


@pytest.mark.parametrize("kind", DEEP_FILES)
def test_colors_of_16_bits_lie_over_the_background_in_their_depth(kind: str) -> None:
    alpha = DEEP[..., 3:] / 65535
    exact = DEEP[..., :3] / 65535 * alpha + np.array([0x20, 0x40, 0x60]) / 255 * (1 - alpha)
    got = values(DEEP_FILES[kind](DEEP), 3, "#204060")
    np.testing.assert_allclose(got, exact.transpose(2, 0, 1) * 2 - 1, atol=3e-7)


def test_colors_of_16_bits_are_resized_in_their_depth() -> None:
    flat = np.full((16, 24, 3), (1000, 30001, 65535), np.uint16)
    picture = decode(deep_png(flat), 3, 10**6).picture
    got = tensors([fitted(picture, Geometry(8, 8, "crop"))], 3)[0]
    np.testing.assert_allclose(got[:, 4, 4], np.array([1000, 30001, 65535]) / 65535 * 2 - 1, atol=1e-6)


SCALED: dict[str, npt.NDArray[Any]] = {
    "uint8": LEVELS,
    "uint16": LEVELS.astype(np.uint16) * 257,
    "int32": LEVELS.astype(np.int32) * 257,
    "float32": LEVELS.astype(np.float32) / 255,
}


@pytest.mark.parametrize("name", SCALED)
@pytest.mark.parametrize("channels", [1, 3])
def test_each_of_256_levels_of_every_type_goes_to_its_value_and_back(name: str, channels: int) -> None:
    got = values(encoded(Image.fromarray(SCALED[name]), "TIFF"), channels)
    assert got.shape == (channels, 16, 16)
    assert (got[0, 0, 0], got[0, -1, -1]) == (-1.0, 1.0), "exactly"
    assert got == pytest.approx(np.stack([LEVELS] * channels) / 127.5 - 1, abs=1e-7)
    np.testing.assert_array_equal(to_uint8(got), np.stack([LEVELS] * channels))


def test_each_of_256_levels_of_every_channel_goes_to_its_value_and_back() -> None:
    picture = np.stack([LEVELS, LEVELS[::-1], LEVELS.T], -1)
    got = values(encoded(Image.fromarray(picture)), 3)
    np.testing.assert_array_equal(got, values_of(picture))
    np.testing.assert_array_equal(to_uint8(got), picture.transpose(2, 0, 1))


def values_of(picture: npt.NDArray[np.uint8]) -> FloatImages:
    """Each level on its own, as the pipeline has always had it: x / 127.5 - 1 in float32."""
    scaled: FloatImages = picture.astype(np.float32).transpose(2, 0, 1) / np.float32(127.5) - np.float32(1)
    return scaled


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_levels_come_back_from_every_type_of_floating_point(kind: type[np.floating[Any]]) -> None:
    exact = (LEVELS / 127.5 - 1).astype(kind)
    np.testing.assert_array_equal(to_uint8(exact), LEVELS)


def test_pictures_of_8_and_of_16_bits_stand_side_by_side() -> None:
    got = tensors([np.full((2, 2), 77, np.uint8), np.full((2, 2), 77.25, np.float32)], 1)
    assert got.dtype == np.float32
    assert got[0] == pytest.approx(77 / 127.5 - 1, abs=1e-7)
    assert got[1] == pytest.approx(77.25 / 127.5 - 1, abs=1e-7)
