"""Removes a picture's metadata (where, when, by whom it was taken); colors stay.

JPEG and PNG are not encoded again: every pixel stays, and so do the color profile and the orientation. Other formats
are written anew as PNG or TIFF, without loss.
"""

import io
import re
import struct
from collections.abc import Iterator
from typing import Any
from zlib import crc32

from PIL import Image, ImageOps

from stages.common.pictures import FORMATS, encoded

_ORIENTATION = 0x0112
_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")  # after a scan: neither a stuffed byte nor a restart
_START_OF_SCAN, _END = 0xDA, 0xD9
_KEPT_CHUNKS = (
    b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"bKGD",
    b"hIST", b"pHYs",
)  # fmt: skip
_PNG_MODES = {"1", "L", "LA", "P", "RGB", "RGBA", "I;16"}


def stripped(content: bytes) -> bytes:
    """The picture without EXIF, XMP, IPTC, comments, thumbnails and anything after its end.

    A file that cannot be read as a picture is emptied, since its content is unknown; normalize counts it as broken.
    """
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            orientation = image.getexif().get(_ORIENTATION, 1)
            without = {"JPEG": _jpeg, "MPO": _jpeg, "PNG": _png}.get(image.format or "")
            left = without(content, orientation) if without else _encode_again(image)
        with Image.open(io.BytesIO(left), formats=FORMATS):  # in a damaged file one segment can hide another
            return left
    except Exception:  # Pillow raises nearly anything on damaged bytes
        return b""


def turned_upright(image: Image.Image) -> tuple[Image.Image, dict[str, Any]]:
    """The picture, turned as its EXIF says and without metadata; and those that its colors need, to be written."""
    turned = ImageOps.exif_transpose(image)
    kept = {name: turned.info[name] for name in ("icc_profile", "transparency") if turned.info.get(name) is not None}
    turned.info.clear()
    turned.getexif().clear()
    return turned, kept


def _exif(orientation: int) -> bytes:
    """EXIF with the orientation and nothing else."""
    exif = Image.Exif()
    exif[_ORIENTATION] = orientation
    return exif.tobytes()


def _jpeg(content: bytes, orientation: int) -> bytes:
    """A JPEG without metadata (ITU-T T.81, annex B: segments of a marker and a length; scans also have coded bytes)."""
    parts = [b"\xff\xd8"]
    if orientation != 1:
        exif = _exif(orientation)
        parts.append(b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif)
    for marker, segment in _segments(content):
        application, comment = 0xE0 <= marker <= 0xEF, marker == 0xFE
        color = segment[4:].startswith((b"JFIF\0", b"ICC_PROFILE\0", b"Adobe"))
        if color or not (application or comment):
            parts.append(segment)
    return b"".join(parts)


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Every segment after the first marker, up to the end of the image."""
    start = 2
    while True:
        found = _NEXT_MARKER.search(content, start)
        if found is None:
            raise ValueError("no end of the image")
        start, marker = found.start(), content[found.end() - 1]
        if marker == _END:
            yield marker, content[start : start + 2]
            return
        (length,) = struct.unpack_from(">H", content, start + 2)
        end = start + 2 + length
        if marker == _START_OF_SCAN:
            scan = _NEXT_MARKER.search(content, end)
            if scan is None:
                raise ValueError("no end of the scan")
            end = scan.start()
        yield marker, content[start:end]
        start = end


def _png(content: bytes, orientation: int) -> bytes:
    """A PNG without metadata (ISO/IEC 15948, section 5: chunks of a length, a name, the bytes and a checksum)."""
    parts, start, name = [content[:8]], 8, b""
    while name != b"IEND":
        (length,) = struct.unpack_from(">I", content, start)
        name, end = content[start + 4 : start + 8], start + 12 + length
        if name in _KEPT_CHUNKS:
            parts.append(content[start:end])
        if name == b"IHDR" and orientation != 1:
            parts.append(_exif_chunk(orientation))
        start = end
    return b"".join(parts)


def _exif_chunk(orientation: int) -> bytes:
    body = b"eXIf" + _exif(orientation).removeprefix(b"Exif\0\0")
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", crc32(body))


def _encode_again(image: Image.Image) -> bytes:
    turned, kept = turned_upright(image)
    if turned.mode in _PNG_MODES:
        return encoded(turned, **kept)
    plain = Image.new(turned.mode, turned.size)
    plain.paste(turned)
    return encoded(plain, "TIFF", **({"icc_profile": kept["icc_profile"]} if "icc_profile" in kept else {}))
