"""The quick way to read plain pictures: what it gives is what Pillow gives, and what it refuses goes to Pillow."""

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from stages.images.decode import UndecodableError, decode
from stages.images.plain import plain_header, plain_pixels
from tests.stages.source_files import encoded, noise


def soft(height: int, width: int, mode: str = "RGB") -> Image.Image:
    """Smooth shapes, as in photographs."""
    return Image.fromarray(noise(1, 7, 7, 3)[0]).resize((width, height), Image.Resampling.BICUBIC).convert(mode)


def quickly(content: bytes, least: int | None = None) -> Any:
    header = plain_header(content)
    assert header is not None
    return plain_pixels(content, header, least)


SIZES = [(256, 256), (97, 131), (33, 32), (8, 8), (7, 5), (1, 1), (300, 40)]


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("size", SIZES)
def test_a_png_is_read_to_the_bit_as_by_pillow(mode: str, size: tuple[int, int]) -> None:
    picture = soft(*size, mode)
    np.testing.assert_array_equal(quickly(encoded(picture)), np.asarray(picture))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_is_read_to_the_bit_as_by_pillow_whole_or_averaged(
    mode: str, subsampling: int, progressive: bool
) -> None:
    for size in SIZES:
        content = encoded(soft(*size, mode), "JPEG", subsampling=subsampling, progressive=progressive)
        for least in (None, 1, 16, 40, 130):
            image = Image.open(io.BytesIO(content))
            if least is not None:
                image.draft(None, (least, least))
            np.testing.assert_array_equal(quickly(content, least), np.asarray(image), f"{size} {least}")


def with_text() -> PngImagePlugin.PngInfo:
    info = PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", "<x:xmpmeta/>")
    return info


SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
EXIF = Image.Exif()
EXIF[0x0112] = 6
LEFT_TO_PILLOW = {
    "PNG with a profile": encoded(soft(8, 8), icc_profile=SRGB),
    "PNG to be turned": encoded(soft(8, 8), exif=EXIF),
    "PNG with XMP": encoded(soft(8, 8), pnginfo=with_text()),
    "PNG with a transparent color": encoded(soft(8, 8), transparency=(1, 2, 3)),
    "PNG with alpha": encoded(soft(8, 8, "RGBA")),
    "PNG with a palette": encoded(soft(8, 8, "P")),
    "PNG of one bit": encoded(soft(8, 8, "1")),
    "PNG of 16 bits": encoded(Image.fromarray(np.full((8, 8), 300, np.uint16))),
    "JPEG with a profile": encoded(soft(8, 8), "JPEG", icc_profile=SRGB),
    "JPEG to be turned": encoded(soft(8, 8), "JPEG", exif=EXIF),
    "JPEG of four inks": encoded(soft(8, 8, "CMYK"), "JPEG"),
    "GIF": encoded(soft(8, 8), "GIF"),
    "nothing": b"",
    "half a header": encoded(soft(8, 8))[:20],
}


@pytest.mark.parametrize("name", LEFT_TO_PILLOW)
def test_what_is_not_plain_is_left_to_pillow(name: str) -> None:
    assert plain_header(LEFT_TO_PILLOW[name]) is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_plain_picture_is_known_by_its_size_and_mode(kind: str) -> None:
    found = decode(encoded(soft(9, 13), kind), 1, 10**6)
    assert (found.mode, found.channels, found.height, found.width) == ("RGB", 3, 9, 13)
    assert found.picture.shape == (9, 13)


PLAIN = [encoded(soft(24, 20), kind) for kind in ("PNG", "JPEG")]


@given(
    content=st.sampled_from(PLAIN),
    changes=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 255)), max_size=3),
    end=st.integers(0, 3000),
)
def test_damage_gives_what_pillow_would_give_or_is_left_to_it(
    content: bytes, changes: list[tuple[int, int]], end: int
) -> None:
    damaged = bytearray(content[: max(end, 1)])
    for place, value in changes:
        damaged[place % len(damaged)] = value
    try:
        expected = np.asarray(Image.open(io.BytesIO(damaged)))
    except Exception:  # Pillow raises nearly anything
        expected = None
    header = plain_header(bytes(damaged))
    got = None if header is None or header.height * header.width > 10**6 else plain_pixels(bytes(damaged), header, None)
    if got is not None:
        assert expected is not None
        np.testing.assert_array_equal(got, expected)


def test_a_plain_header_that_says_too_many_pixels_is_refused_before_any_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was decoded")

    monkeypatch.setattr("stages.images.decode.plain_pixels", refuse)
    for content in PLAIN:
        with pytest.raises(UndecodableError, match="20 x 24 pixels, more than 100"):
            decode(content, 3, 100)
