"""Reads the two most common kinds of file without Pillow: plain PNG and JPEG of 8 bits, gray or RGB.

A small picture takes a half (PNG) or a sixth (JPEG) of the time, since Pillow spends most of it on finding out what a
file is. Files with anything that may change pixels (a profile, a palette, transparency, an orientation), and damaged
files, are left to Pillow, which reports what is wrong. Pixels read here equal Pillow's to the bit.
"""

import struct
import zlib
from dataclasses import dataclass

import pyspng
import simplejpeg

from stages.common.levels import Levels

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_CHUNKS = {b"IHDR", b"IDAT", b"IEND", b"pHYs", b"tIME", b"sRGB", b"gAMA", b"cHRM", b"bKGD"}
"""Chunks that do not change Pillow's pixels."""
_PNG_COLORS = {0: 1, 2: 3}
_JPEG = b"\xff\xd8\xff\xe0"
"""First bytes of a JPEG with the header of JFIF, which defines its colors."""
_JPEG_SEGMENTS = {0xE0, 0xDB, 0xC4, 0xDD, 0xFE}
"""Segments of a plain JPEG: JFIF, tables, restart interval, comment."""
_JPEG_FRAMES = {0xC0, 0xC1, 0xC2}
_START_OF_SCAN = 0xDA
_FACTORS = (8, 4, 2)
"""Factors by which Pillow and libjpeg-turbo can average while they decode."""


@dataclass(frozen=True)
class Header:
    kind: str
    height: int
    width: int
    channels: int


def plain_header(content: bytes) -> Header | None:
    """The header of a plain picture; None for any other, and for a damaged PNG."""
    try:
        if content.startswith(_PNG):
            return _png_header(content)
        return _jpeg_header(content) if content.startswith(_JPEG) else None
    except struct.error:  # the file ends in the middle of a header
        return None


def plain_pixels(content: bytes, header: Header, least: int | None) -> Levels | None:
    """The pixels, gray `[H,W]` or `[H,W,3]`; None if they are damaged. `least` as in `decode`."""
    try:
        pixels = pyspng.load(content) if header.kind == "PNG" else _jpeg_pixels(content, header, least)
    except (RuntimeError, ValueError):
        return None
    return pixels[..., 0] if pixels.shape[2:] == (1,) else pixels


def _png_header(content: bytes) -> Header | None:
    height = width = channels = 0
    position, kind = len(_PNG), b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", content, position)
        if kind not in _PNG_CHUNKS:
            return None
        if kind == b"IHDR":
            width, height, depth, colors = struct.unpack_from(">2I2B", content, position + 8)
            channels = _PNG_COLORS.get(colors, 0) if depth == 8 else 0
        if not channels:
            return None
        (said,) = struct.unpack_from(">I", content, position + 8 + length)
        if zlib.crc32(memoryview(content)[position + 4 : position + 8 + length]) != said:
            return None  # libspng reads no further than the last pixel, and misses damage there
        position += 12 + length
    return Header("PNG", height, width, channels)


def _jpeg_header(content: bytes) -> Header | None:
    position, found = 2, None
    while True:
        start, marker, length = struct.unpack_from(">2BH", content, position)
        if start != 0xFF:
            return None
        if marker == _START_OF_SCAN:
            return found
        if marker in _JPEG_FRAMES:
            depth, height, width, channels = struct.unpack_from(">B2HB", content, position + 4)
            if depth != 8 or channels not in (1, 3) or found is not None or not height or not width:
                return None
            found = Header("JPEG", height, width, channels)
        elif marker not in _JPEG_SEGMENTS:
            return None
        position += 2 + length


def _jpeg_pixels(content: bytes, header: Header, least: int | None) -> Levels:
    factor = 1
    if least is not None:
        factor = next((by for by in _FACTORS if min(header.height, header.width) // least >= by), 1)
    height, width = -(-header.height // factor), -(-header.width // factor)
    colors = "RGB" if header.channels == 3 else "GRAY"
    pixels: Levels = simplejpeg.decode_jpeg(content, colors, min_height=height, min_width=width)
    if pixels.shape[:2] != (height, width):
        raise ValueError("averaged by another factor")
    return pixels
