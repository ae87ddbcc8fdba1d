"""Sound to look at, to listen to and to bring in: spectrograms, WAV files, another sampling rate."""

import math
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from mintage.waves import GENERATED, decode_wav, encode_wav, resample

WINDOW = 256
"""Samples that a column of a spectrogram sees."""
_FINE = 2 * WINDOW
"""Places of the transform: finer than the window, so that each band has some."""
QUIETEST = -80.0
"""Decibels below the sine that fills the range: -1 in a spectrogram."""
_CHUNK = 256


def spectrograms(sounds: Tensor, rate: int = 8000, bands: int = 64, hop: int = 64) -> Tensor:
    """Pictures `[N,1,bands,ceil(T/hop)]` in [-1,1] of sounds `[N,C,T]` in [-1,1]: how loud each band is, over time.

    Rows are bands of equal width on the mel scale (O'Shaughnessy 1987), the lowest at the bottom, up to half of `rate`,
    in samples a second. 1 is as loud as a sine that fills the range, -1 is 80 decibels less, or nothing; several
    channels are heard together. Differentiable, in float32.
    """
    with torch.autocast(sounds.device.type, enabled=False):
        return torch.cat([_spectrogram(chunk, mel_bands(rate, bands), hop) for chunk in torch.split(sounds, _CHUNK)])


def _spectrogram(sounds: Tensor, bands: Tensor, hop: int) -> Tensor:
    count, channels, length = sounds.shape
    columns = -(-length // hop)
    before, after = (WINDOW - hop) // 2, (WINDOW - hop + 1) // 2 + columns * hop - length
    framed = pad(sounds.float().flatten(0, 1), (before, after)).unfold(-1, WINDOW, hop)
    window = torch.hann_window(WINDOW, device=sounds.device)
    heights = torch.fft.rfft(framed * window, _FINE).abs() / (window.sum() / 2)  # of a sine that fills the range: 1
    power = heights.square().view(count, channels, columns, -1).mean(1) @ bands.to(sounds.device)
    decibels = 10 * power.clamp(min=1e-12).log10()
    drawn: Tensor = (1 - 2 * decibels.clamp(QUIETEST, 0) / QUIETEST).transpose(1, 2).flip(1)[:, None]
    return drawn


@cache
def mel_bands(rate: int, bands: int) -> Tensor:
    """`[frequencies, bands]`: triangles of the sum 1 around frequencies of equal distance in mel.

    Each is so wide that it has at least one frequency.
    """
    frequencies = torch.linspace(0, rate / 2, _FINE // 2 + 1)
    highest = 2595 * math.log10(1 + rate / 2 / 700)
    centers = 700 * (10 ** (torch.linspace(0, highest, bands + 2) / 2595) - 1)
    reach = centers.diff()[:-1].clamp(min=frequencies[1].item())
    triangles = (1 - (frequencies[:, None] - centers[1:-1]).abs() / reach).clamp(min=0)
    return triangles / triangles.sum(0)


def save_wav(path: str | Path, sound: Tensor, rate: int) -> None:
    """Write a generated sound `[C,T]` in [-1,1] as a WAV file of 16 bits that says it was generated.

    Louder than 1 is cut. Raises ValueError where the sound has another shape, no samples, or numbers not finite.

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

    Raises ValueError where it is no such file, is cut off or has no samples.
    """
    samples, rate = decode_wav(file if isinstance(file, bytes) else Path(file).read_bytes())
    return torch.from_numpy(samples.copy()), rate


def resampled(sounds: Tensor, rate: int, wanted: int) -> Tensor:
    """Sounds `[..., T]` of `rate` samples a second as others of `wanted`: `[..., ceil(T wanted / rate)]`, on the CPU.

    Nothing that the lower rate cannot hold is left, nor folded back (`mintage.waves.resample`); it may overshoot [-1,1]
    a little. Raises ValueError where a rate is not above 0.
    """
    flat = sounds.detach().cpu().float().reshape(-1, sounds.shape[-1])
    return torch.from_numpy(resample(flat.numpy(), rate, wanted)).reshape(*sounds.shape[:-1], -1)
