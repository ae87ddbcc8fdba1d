"""What every source refuses: images over the limits, and names that lead out of a source or hide in a terminal."""

import re

from stages.common.errors import UserError, quoted
from stages.common.pictures import TooManyPixelsError, open_picture
from stages.sources.names import FINDER_ICON, check_printable, composed

EXTENSIONS = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm",
)  # fmt: skip
NOT_READ = (
    ".heic", ".heif", ".hif", ".avif", ".jxl", ".jp2", ".psd", ".xcf", ".svg", ".eps", ".tga", ".exr",
    ".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".orf", ".rw2", ".raf",
)  # fmt: skip
"""Extensions of pictures that no source of images reads, such as those of phones and cameras."""
_LARGEST_VALUE = 2**31 - 1  # bytes that one value of a Parquet column can hold


def is_image(name: str, extensions: tuple[str, ...] = EXTENSIONS) -> bool:
    """Whether a name has an image's extension; later the content decides."""
    return name.lower().endswith(extensions)


def largest_file(max_pixels: int) -> int:
    """Bytes of an uncompressed RGBA image of `max_pixels` in 16 bits; no image file is larger."""
    return min(8 * max_pixels + 2**20, _LARGEST_VALUE)


def check_size(place: str, size: int, max_pixels: int) -> None:
    """Refuse a file that is larger than any image, before it is read."""
    if size > largest_file(max_pixels):
        raise UserError(
            "file-too-large", f"{place} is larger than an image of ingest.max_pixels ({max_pixels}) can be: remove it"
        )


def checked(place: str, content: bytes, max_pixels: int) -> bytes:
    """The content of an image; refused if its size, or the size in its header, is over `max_pixels`.

    An image that cannot be decoded passes: normalize counts these.
    """
    check_size(place, len(content), max_pixels)
    try:
        open_picture(content, max_pixels)
    except TooManyPixelsError as error:
        raise UserError(
            "image-too-large", f"{place} says it has {error} (ingest.max_pixels): remove it, or raise that limit"
        ) from None
    except Exception:  # Pillow raises nearly anything on a damaged header
        pass
    return content


def inner_name(place: str, name: str) -> str:
    """A name inside `place`, its parts joined by single slashes, in Unicode's form NFC.

    Raises UserError on a name that leads out of `place`, or cannot be shown in one line.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    check_printable(place, "/".join(part for part in parts if part != FINDER_ICON))
    if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:/", name):
        raise UserError(
            "name-leads-outside",
            f"{place}: {quoted(name)} is a name that leads outside: pack it again with names relative to one folder",
        )
    return composed("/".join(parts))
