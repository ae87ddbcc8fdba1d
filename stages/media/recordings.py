"""Files of sound as samples.

The standard library reads WAV of whole numbers; the package soundfile, which is no part of the usual install, reads all
other formats of libsndfile (FLAC, OGG, MP3, WAV of fractions).
"""

import io
from typing import NamedTuple

import numpy as np

from mintage.waves import Samples, decode_wav
from stages.common.errors import one_line
from stages.common.readers import require_reader
from stages.media.medium import UnusableError

_WAV = b"RIFF"


class Recording(NamedTuple):
    """The sound of a file."""

    samples: Samples
    """`[C,T]` in [-1,1]."""
    rate: int
    """Its samples a second."""
    kind: str
    """The file's format."""

    @property
    def length(self) -> int:
        return int(self.samples.shape[1])


def samples_of(content: bytes, most: int) -> Recording:
    """The recording in a file. Raises UnusableError if it is no sound, is cut off, has no samples or more than `most`,
    or is louder than 1; and UserError if it needs soundfile, which is not installed.
    """
    if not content:
        raise UnusableError("it is empty: it has no bytes")
    whole = content.startswith(_WAV)
    if whole and content[8:12] != b"WAVE":
        raise UnusableError("it is no WAV file")
    try:
        if whole and content[20:22] in (b"\x01\x00", b"\xfe\xff"):
            return Recording(*decode_wav(content, most), "wav")
    except ValueError as error:
        if "unknown" not in str(error):  # not the error for a format that the standard library does not read
            raise UnusableError(str(error)) from None
    if not whole and not content.startswith((b"fLaC", b"OggS", b"ID3")) and content[0] != 0xFF:
        raise UnusableError("it is neither WAV nor FLAC, OGG or MP3")
    require_reader("soundfile")
    return _by_soundfile(content, most)


def _by_soundfile(content: bytes, most: int) -> Recording:
    import soundfile

    try:
        with soundfile.SoundFile(io.BytesIO(content)) as file:
            if file.frames * file.channels > most:
                raise UnusableError(
                    f"it says it has {file.frames * file.channels} samples, over ingest.max_pixels ({most})"
                )
            read = file.read(dtype="float32", always_2d=True).T
            rate, kind, expected = file.samplerate, file.format.lower(), file.frames
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError, AssertionError) as error:
        raise UnusableError(f"it cannot be read ({one_line(error)})") from None
    if not read.size or read.shape[1] < expected:
        raise UnusableError("it is cut off, or has no samples")
    if not np.isfinite(read).all():
        raise UnusableError("some of its samples are not finite")
    loudest = float(abs(read).max())
    if loudest > 1 and kind == "wav":
        raise UnusableError(
            f"it goes to {loudest:.3g}, beyond 1, where any player cuts it: scale it, and write it again"
        )
    return Recording(np.clip(read, -1, 1), rate, kind)
