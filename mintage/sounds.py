"""Sound as spectrograms, to and from WAV files, and at another sampling rate."""

import math
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from mintage.waves import GENERATED, decode_wav, encode_wav, resample

WINDOW = 256
"""Samples in the window of each column of a spectrogram."""
_FINE = 2 * WINDOW
"""Length of the Fourier transform: longer than the window, so that each band has a frequency."""
QUIETEST = -80.0
"""Decibels relative to a sine of full range: the value -1 of a spectrogram."""
_CHUNK = 256


def spectrograms(sounds: Tensor, rate: int = 8000, bands: int = 64, hop: int = 64) -> Tensor:
    """Pictures `[N,1,bands,ceil(T/hop)]` in [-1,1] of sounds `[N,C,T]` in [-1,1]: how loud each band is, over time.

    Rows are bands of equal width on the mel scale (O'Shaughnessy 1987), the lowest at the bottom, up to half of `rate`,
    in samples a second. 1 is as loud as a sine of full range, -1 is 80 decibels less, or silence; power is a mean over
    channels. Differentiable, in float32.
    """
    with torch.autocast(sounds.device.type, enabled=False):
        return torch.cat([_spectrogram(chunk, mel_bands(rate, bands), hop) for chunk in torch.split(sounds, _CHUNK)])


def _spectrogram(sounds: Tensor, bands: Tensor, hop: int) -> Tensor:
    count, channels, length = sounds.shape
    columns = -(-length // hop)
    before, after = (WINDOW - hop) // 2, (WINDOW - hop + 1) // 2 + columns * hop - length
    framed = pad(sounds.float().flatten(0, 1), (before, after)).unfold(-1, WINDOW, hop)
    window = torch.hann_window(WINDOW, device=sounds.device)
    heights = torch.fft.rfft(framed * window, _FINE).abs() / (window.sum() / 2)  # a sine of full range has 1
    power = heights.square().view(count, channels, columns, -1).mean(1) @ bands.to(sounds.device)
    decibels = 10 * power.clamp(min=1e-12).log10()
    return (1 - 2 * decibels.clamp(QUIETEST, 0) / QUIETEST).transpose(1, 2).flip(1)[:, None]


@cache
def mel_bands(rate: int, bands: int) -> Tensor:
    """`[frequencies, bands]`: triangles with sum 1 around frequencies of equal distance in mel.

    Each triangle is wide enough for at least one frequency.
    """
    frequencies = torch.linspace(0, rate / 2, _FINE // 2 + 1)
    highest = 2595 * math.log10(1 + rate / 2 / 700)
    centers = 700 * (10 ** (torch.linspace(0, highest, bands + 2) / 2595) - 1)
    reach = centers.diff()[:-1].clamp(min=frequencies[1].item())
    triangles = (1 - (frequencies[:, None] - centers[1:-1]).abs() / reach).clamp(min=0)
    return triangles / triangles.sum(0)


def save_wav(path: str | Path, sound: Tensor, rate: int) -> None:
    """Write a generated sound `[C,T]` in [-1,1] as a WAV file of 16 bits, marked as generated.

    Values beyond [-1,1] are cut. Raises ValueError if the sound has another shape, no samples, or numbers not finite.

    Example:
        >>> import torch, tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "tone.wav"
        >>> save_wav(path, torch.sin(torch.arange(800) * 0.3)[None], 8000)
        >>> sound, rate = read_wav(path)
        >>> sound.shape, rate
        (torch.Size([1, 800]), 8000)
    """
    Path(path).write_bytes(encode_wav(sound.detach().cpu().float().numpy(), rate, GENERATED))


def read_wav(file: str | Path | bytes) -> tuple[Tensor, int]:
    """The sound `[C,T]` in [-1,1] of a WAV file (a path, or its bytes) of whole numbers, and its samples a second.

    Raises ValueError if it is no such file, is cut off or has no samples.
    """
    samples, rate = decode_wav(file if isinstance(file, bytes) else Path(file).read_bytes())
    return torch.from_numpy(samples.copy()), rate


def resampled(sounds: Tensor, rate: int, wanted: int) -> Tensor:
    """Sounds `[..., T]` of `rate` samples a second at the rate `wanted`: `[..., ceil(T wanted / rate)]`, on the CPU.

    Frequencies too high for the lower rate are removed, without aliasing (`mintage.waves.resample`). Values may
    overshoot [-1,1] a little. Raises ValueError if a rate is not above 0.
    """
    flat = sounds.detach().cpu().float().reshape(-1, sounds.shape[-1])
    return torch.from_numpy(resample(flat.numpy(), rate, wanted)).reshape(*sounds.shape[:-1], -1)
