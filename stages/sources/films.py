"""Films (MP4, MOV, WebM, MKV, AVI): their frames, by the package av, which is no part of the usual install."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import numpy as np

from stages.common.pictures import encode_png
from stages.common.readers import require_reader

ENDINGS = (".mp4", ".m4v", ".mov", ".webm", ".mkv", ".avi")
_MATROSKA = b"\x1aE\xdf\xa3"
"""The first bytes of MKV and WebM."""
_STILLS = (b"heic", b"heix", b"mif1", b"avif", b"avis")
"""Brands of pictures whose files begin like MP4."""


def is_film(content: bytes) -> bool:
    """Whether the first bytes are those of a film."""
    if content[4:8] == b"ftyp":
        return content[8:12] not in _STILLS
    return content.startswith(_MATROSKA) or (content[:4] == b"RIFF" and content[8:12] == b"AVI ")


def frame_count(content: bytes, max_pixels: int) -> int:
    """How many frames a film has, counted without decoding one; 2 if it cannot be read, so that `frames` reports it.

    Raises UserError if av is not installed.
    """
    with _opened(content, max_pixels) as film:
        return 2 if film is None else max(2, sum(packet.size > 0 for packet in film.demux(video=0)))


def frames(content: bytes, max_pixels: int) -> Iterator[bytes]:
    """Each frame, upright, as PNG; if the film breaks off, empty bytes there and nothing after them."""
    with _opened(content, max_pixels) as film:
        count = 0
        try:
            for frame in film.decode(video=0):
                levels = np.rot90(frame.to_ndarray(format="rgb24"), round(frame.rotation / 90))
                yield encode_png(np.moveaxis(levels, -1, 0))
                count += 1
            whole = count >= film.streams.video[0].frames  # as its header says, or 0
        except Exception:  # an error of FFmpeg on damaged bytes
            whole = False
        if not whole:
            yield b""


def pace(content: bytes, max_pixels: int) -> int | None:
    """Mean milliseconds from frame to frame; None if unknown."""
    with _opened(content, max_pixels) as film:
        rate: Fraction | None = None if film is None else film.streams.video[0].average_rate
        return round(1000 / rate) if rate else None


@contextmanager
def _opened(content: bytes, max_pixels: int) -> Iterator[Any]:
    """The opened film; None if it cannot be read or has larger frames. Raises UserError if av is not installed."""
    require_reader("av")
    import av

    av.logging.set_level(av.logging.PANIC)
    try:
        film = av.open(io.BytesIO(content))
        shown = film.streams.video[0].codec_context
        small = shown.width * shown.height <= max_pixels
    except Exception:  # FFmpeg's errors on damaged bytes, and on sound without pictures
        yield None
        return
    with film:
        yield film if small else None
