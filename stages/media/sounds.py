"""Sounds: one channel or two over time, at a fixed number of samples a second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stages.media.endings import SOUNDS
from stages.media.medium import Decoded, Expectation, Medium, Shape, Trait, UnusableError, Words

if TYPE_CHECKING:
    from stages.common.levels import FloatImages, Levels
    from stages.common.params import Normalize
    from stages.media.recordings import Recording


_BANDS, _HOP, _COLUMNS = 64, 64, 128
"""A spectrogram's rows, the samples between its columns, and its most columns: longer sounds have larger steps."""


_FULL, _QUIET, _BLOCK = 0.999, 0.001, 64
"""Level from which a sample is clipped; level below which it is silent; samples that are judged together."""


@dataclass(frozen=True)
class Sounds(Medium):
    """Files of any rate, resampled to `rate` samples a second; any number of channels, mixed to one, or stereo."""

    name = "sounds"
    words = Words("sound", "a sound", "sounds", "sample", "silent")
    sides: ClassVar[tuple[str, ...]] = ("length",)
    channels: ClassVar[tuple[int, ...]] = (1, 2)
    suffixes = SOUNDS
    fits: ClassVar[tuple[str, ...]] = ("crop", "pad")
    exact = True
    plays = True
    lacks: ClassVar[Mapping[Trait, str]] = {
        "picture files": "sounds are WAV, FLAC, OGG or MP3",
        "looks": "sounds are compared sample by sample, not by their looks",
        "spectrum": "sounds have no spectrum of a picture",
    }
    expectations = (
        Expectation(
            "clipped", "sounds are clipped: over a thousandth of their samples are at the end of the range", high=0.001,
            share=0.01, advice="record them softer; a generator learns the crackling too",
        ),
        Expectation(
            "offset", "sounds lie off the middle, by over 0.02 of 1 on average", high=0.02, share=0.05,
            advice="take the mean off each file, or a high-pass filter over it",
        ),
        Expectation(
            "silence", "sounds are silent, below a thousandth of the range, in over half of their length", high=0.5,
            share=0.2, advice="cut silence off the files, lower normalize.length, or set ingest.options.seconds",
        ),
    )  # fmt: skip
    pairs_by = "ingest.pairs or ingest.options.noise"
    task = "other"
    unconditional_family = "wavegan"
    paired_family = "segan"

    rate: int = 8000

    @property
    def shown_as(self) -> str:
        return "Audio"

    def describe(self, shape: Shape) -> str:
        """Such as "0.512-second, 8 kHz stereo"."""
        return f"{shape[1] / self.rate:.3g}-second, {self.rate / 1000:g} kHz{' stereo' * (shape[0] == 2)}"

    def decode(self, content: bytes, to: "Normalize", most: int) -> Decoded:
        """A sound: with `fit` "crop" the middle of a longer one, which "pad" refuses; a shorter one ends in silence."""
        from stages.media.recordings import samples_of

        return self._fitted(samples_of(content, most), to)

    def decode_pair(self, content: bytes, partner: bytes, to: "Normalize", most: int) -> tuple[Decoded, "FloatImages"]:
        """A sound and its partner, which must have the same rate and length for their moments to correspond."""
        from stages.media.recordings import samples_of

        one = samples_of(content, most)
        try:
            other = samples_of(partner, most)
        except UnusableError as reason:
            raise UnusableError(f"its partner: {reason}") from None
        if (one.rate, one.length) != (other.rate, other.length):
            raise UnusableError(
                f"it has {one.length} samples at {one.rate} Hz and its partner {other.length} at {other.rate} Hz: "
                "pairs are of one length and rate"
            )
        return self._fitted(one, to), self._fitted(other, to).values

    def decode_whole(self, content: bytes, channels: int, most: int) -> "FloatImages":
        """The whole sound at the medium's rate."""
        import numpy as np

        from mintage.waves import resample
        from stages.media.recordings import samples_of

        recording = samples_of(content, most)
        return np.clip(resample(_in_channels(recording.samples, channels), recording.rate, self.rate), -1, 1)

    def _fitted(self, recording: "Recording", to: "Normalize") -> Decoded:
        import numpy as np

        from mintage.waves import resample

        (wanted,) = to.shape_of(self.sides)[1:]
        samples, rate = recording.samples, recording.rate
        if rate < self.rate and to.upscale == "refuse":
            raise UnusableError(
                f"it has {rate} samples a second, fewer than {self.rate} (ingest.options.rate), and normalize.upscale "
                "refuses to invent some"
            )
        sound = resample(_in_channels(samples, to.channels), rate, self.rate)
        longer = sound.shape[1] - wanted
        if longer > 0 and to.fit == "pad":
            raise UnusableError(
                f"it is {sound.shape[1]} samples long at {self.rate} Hz, more than normalize.length ({wanted}): raise "
                "that, or set fit to crop"
            )
        cut = sound[:, max(longer, 0) // 2 :][:, :wanted]
        fitted = np.pad(cut, ((0, 0), (0, wanted - cut.shape[1])))
        return Decoded(np.clip(fitted, -1, 1).astype(np.float32), recording.kind, samples.shape)

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """A sound as WAV of 16 bits."""
        from mintage.waves import encode_wav

        return encode_wav(sample, self.rate), "wav"

    def play(self, sample: "FloatImages") -> bytes:
        return self.encode(sample)[0]

    def heard_again(self, sound: bytes, picture: bytes, shape: Shape) -> "FloatImages | None":
        """The sound, within half a step of 16 bits."""
        from mintage.waves import FULL, decode_wav

        samples, _ = decode_wav(sound)
        return samples * (2.0**15 / FULL) if samples.shape == shape else None

    def figures(self, samples: "FloatImages") -> Mapping[str, Sequence[float]]:
        """The shares of each sound that are clipped and silent, and the distance of its mean from 0."""
        counted = {
            "clipped": _clipped(samples), "offset": abs(samples.mean((1, 2))), "silence": _silence(samples)
        }  # fmt: skip
        return {name: values.tolist() for name, values in counted.items()}

    def cell(self, shape: Shape) -> tuple[int, int]:
        return _BANDS, -(-shape[1] // _hop(shape[1]))

    def pixels(self, samples: "FloatImages") -> "Levels":
        """Spectrograms: low tones at the bottom, brighter where it is louder."""
        import torch

        from mintage.sounds import spectrograms
        from stages.common.levels import to_uint8

        drawn = spectrograms(torch.from_numpy(samples), self.rate, _BANDS, _hop(samples.shape[2]))
        return to_uint8(drawn.numpy())


def _in_channels(samples: "FloatImages", channels: int) -> "FloatImages":
    """A sound `[C,T]` mixed to `[1,T]`, or as stereo `[2,T]`, with both sides equal if it has one channel."""
    import numpy as np

    if channels == 1:
        mix: FloatImages = samples.mean(0, keepdims=True)
        return mix
    if len(samples) > channels:
        raise UnusableError(f"it has {len(samples)} channels: mix it to stereo, or set normalize.channels to 1")
    return np.broadcast_to(samples, (channels, samples.shape[1]))


def _clipped(samples: "FloatImages") -> "FloatImages":
    """The share `[N]` of each sound that is at full level for three samples in a row or more."""
    full = abs(samples) > _FULL
    three = full[..., :-2] & full[..., 1:-1] & full[..., 2:]
    shares: FloatImages = three.mean((1, 2))
    return shares


def _silence(samples: "FloatImages") -> "FloatImages":
    """The share `[N]` of each sound that is silent, in blocks of 64 samples."""
    blocks = samples[..., : samples.shape[2] // _BLOCK * _BLOCK].reshape(*samples.shape[:2], -1, _BLOCK)
    shares: FloatImages = (abs(blocks).max(-1) < _QUIET).mean((1, 2))
    return shares


def _hop(length: int) -> int:
    return max(_HOP, -(-length // _COLUMNS))
