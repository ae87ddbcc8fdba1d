"""Bars of music: which pitches sound in each of sixteen steps, as a piano roll.

The axes of a bar `[1,16,P]` are time and pitch: `[:, 0]` is its first sixteenth, `[:, :, 0]` its lowest pitch. Values
above 0 sound; with one voice, only the strongest. Files are scores (MIDI, MusicXML), which the source cuts into bars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from mintage.metrics import Metric
from stages.media.endings import SCORES
from stages.media.medium import Decoded, Expectation, Medium, Shape, Trait, UnusableError, Words

if TYPE_CHECKING:
    from torch import Tensor

    from mintage.midi import Sounding
    from mintage.rolls import Voices
    from stages.common.levels import FloatImages, Levels
    from stages.common.params import Normalize

STEPS = 16
_RATE = 8000
"""Samples a second of what is played."""
_NPY = b"\x93NUMPY"
_STEP_PIXELS = 6
_ROLL_PIXELS = 96
_PITCH_PIXELS = (2, 4)
"""Height of a pitch in pixels, at least and at most; all pitches together should have `_ROLL_PIXELS`."""
_PAPER, _BLACK_KEY, _LINE, _INK = (255, 255, 255), (237, 239, 243), (196, 200, 210), (28, 60, 120)
_FRAME = (90, 96, 110)
_FAINT = 0.35
"""Darkest shade of a pitch that does not sound, 1 for black."""
_BLACK_KEYS = (1, 3, 6, 8, 10)
_UNHEARD = 0.01
"""A divergence in nats at which at most 7% of notes would have to change (Pinsker's inequality)."""
_YANG = "Yang and Lerch 2020"


def bar_at(sounding: "Sounding", begin: int) -> "Sounding":
    """The bar `[16,P]` that begins at a step of `[T,P]`; an empty bar if `begin` is below 0."""
    return sounding[begin : begin + STEPS] if begin >= 0 else sounding[:STEPS] & False


def _of_notes(title: str, floor: str, meaning: str, guard_only: str) -> Metric:
    return Metric(title, floor, "min", meaning, _YANG, needs="music", guard_only=guard_only)


_METRICS = {
    "pitch_divergence": _of_notes(
        "pitch divergence",
        "pitch_divergence_floor",
        "How far the shares of the twelve pitch classes among notes are from those of held-out bars, in nats.",
        "the same notes in any order score as well",
    ),
    "interval_divergence": _of_notes(
        "interval divergence",
        "interval_divergence_floor",
        "How far the shares of intervals from note to note of the melody are from those of held-out bars, in nats.",
        "bars of wrong notes at the right distances score as well",
    ),
    "duration_divergence": _of_notes(
        "duration divergence",
        "duration_divergence_floor",
        "How far the shares of notes' lengths are from those of held-out bars, in nats.",
        "wrong notes of the right lengths score as well",
    ),
    "motif_gap": _of_notes(
        "motif gap",
        "motif_gap_floor",
        "The share of the melody's motifs, three notes by their intervals, that would have to be others for their "
        "shares to be those of held-out bars.",
        "motifs in the wrong key, or at the wrong times, score as well",
    ),
    "rhythm_gap": Metric(
        "rhythm gap",
        "rhythm_gap_floor",
        "min",
        "The share of bars whose rhythm, the steps at which notes begin, would have to be another for the shares of "
        "rhythms to be those of held-out bars.",
        "Wu and Yang 2020",
        "share",
        needs="music",
        guard_only="wrong notes in the right rhythm score as well",
    ),
    "in_scale": Metric(
        "in scale",
        "in_scale_floor",
        "max",
        "The share of what sounds in a bar that is of one major scale, the one that fits it best.",
        _YANG,
        "share",
        needs="music",
        guard_only="one note held through every bar scores best",
    ),
    "distinct_bars": Metric(
        "distinct bars",
        "distinct_bars_floor",
        "max",
        "The share of bars left when equal ones count once.",
        "a count",
        "share",
        needs="music",
        guard_only="noise, of which no two bars are equal, scores best",
    ),
    "empty_bars": Metric(
        "empty bars",
        "empty_bars_floor",
        "min",
        "The share of bars in which nothing sounds.",
        "a count",
        "share",
        needs="music",
        guard_only="bars of any notes score as well",
    ),
    "polyphony_gap": Metric(
        "polyphony gap",
        "polyphony_gap_floor",
        "min",
        "How far the mean number of simultaneous pitches is from that of held-out bars.",
        "Dong et al. 2018",
        needs="music",
        guard_only="wrong notes, as many at once, score as well",
    ),
}


@dataclass(frozen=True)
class Rolls(Medium):
    """Bars of `pitches` semitones from MIDI's number `lowest` up, written with `tempo` quarter notes a minute."""

    name = "rolls"
    words = Words("bar", "a bar", "bars", "step", "empty")
    exact = True
    plays = True
    lacks: ClassVar[Mapping[Trait, str]] = {
        "picture files": "bars are cut from scores",
        "looks": "bars are compared step by step, not by their looks",
        "spectrum": "bars have no spectrum of a picture",
    }
    offers: ClassVar[Mapping[str, str]] = {"music": "bars of music"}
    metrics = _METRICS
    judged_by: ClassVar[Mapping[str, float]] = {"in_scale": 0.7}
    distances: ClassVar[Mapping[str, float]] = dict.fromkeys(
        ("pitch_divergence", "interval_divergence", "duration_divergence"), _UNHEARD
    )
    expectations = (
        Expectation(
            "notes", "bars have one note or none", low=2, share=0.1,
            advice="take out tracks of long chords (ingest.options.track), or pieces with long rests",
        ),
        Expectation(
            "range", "bars reach over more than three octaves", high=36, share=0.05,
            advice="take one voice (ingest.options.voices), or one track (ingest.options.track)",
        ),
        Expectation(
            "together", "bars have more than eight pitches at once", high=8, share=0.05,
            advice="take one voice (ingest.options.voices), or one track (ingest.options.track)",
        ),
    )  # fmt: skip
    still = (1,)
    recurs = True
    attributes_by = "ingest.options.chords to true"
    row = "tune"
    suffixes = SCORES
    pairs_by = "ingest.options.previous to true"
    task = "other"
    unconditional_family = "midinet"
    paired_family = "midinet_following"
    attributes_family = "midinet_chords"

    lowest: int = 0
    pitches: int = 128
    voices: "Voices" = "one"
    tempo: float = 120.0

    @property
    def shape(self) -> Shape:
        return (1, STEPS, self.pitches)

    @property
    def chords(self) -> bool:
        return self.voices == "many"

    def describe(self, shape: Shape) -> str:
        """Such as "one-voice, 24-pitch"."""
        return f"{self.voices}-voice{'s' if self.voices == 'many' else ''}, {shape[2]}-pitch"

    def decode(self, content: bytes, to: "Normalize", most: int) -> Decoded:
        """A bar as its source wrote it, an npy with an array `[16,P]` of bools; a whole score is refused."""
        import numpy as np

        from stages.media.cells import array_in
        from stages.media.scores import score_of

        if not content.startswith(_NPY):
            score_of(content, most)
            raise UnusableError(
                "it has no bar of 16 sixteenths with notes in it (and with a chord, where those are asked for)"
            )
        sounding = array_in(content, most)
        if sounding.shape != self.shape[1:] or sounding.dtype != np.bool_:
            raise UnusableError(f"it is {list(sounding.shape)} of {sounding.dtype}: a bar is bits of {STEPS} steps")
        values = np.where(sounding, np.float32(1), np.float32(-1))
        return Decoded(np.broadcast_to(values, to.shape_of(self.sides)), "midi", self.shape)

    def decode_row(self, content: bytes, most: int) -> "FloatImages":
        """The bars of 16 sixteenths of a score up to its last note, transposed by octaves into the pitches."""
        import numpy as np

        from stages.media.scores import moved, score_of

        score = score_of(content, most, self.voices)
        heard = moved(score, self.lowest, self.pitches)
        bars = [heard[begin : begin + STEPS] for begin in score.bars]
        while bars and not bars[-1].any():
            bars.pop()
        if not bars:
            raise UnusableError("it has no bar of 16 sixteenths with notes in it")
        return np.where(np.stack(bars)[:, None], np.float32(1), np.float32(-1))

    def encode_row(self, samples: "FloatImages") -> bytes:
        """The bars as a MIDI file."""
        from mintage.midi import encode_midi

        return encode_midi(self._heard(samples).reshape(-1, self.pitches), self.lowest, self.tempo)

    def as_written(self, samples: "Tensor") -> "Tensor":
        """Samples of -1 and 1: each pitch sounds or does not."""
        from mintage.rolls import as_rolls, sounding

        return as_rolls(sounding(samples, self.voices))

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """A MIDI file of one bar."""
        from mintage.midi import encode_midi

        return encode_midi(self._heard(sample[None])[0], self.lowest, self.tempo), "mid"

    def play(self, sample: "FloatImages") -> bytes:
        """The bar as a plain synthesizer plays it, at the tempo."""
        from mintage.midi import as_sound
        from mintage.waves import encode_wav

        return encode_wav(as_sound(self._heard(sample[None])[0], self.lowest, self.tempo), _RATE)

    def heard_again(self, sound: bytes, picture: bytes, shape: Shape) -> "FloatImages | None":
        """The bar, read from the ink in the middle of each cell of the picture."""
        import io

        import numpy as np
        from PIL import Image

        pixels = np.asarray(Image.open(io.BytesIO(picture), formats=["PNG"]).convert("RGB"))
        if shape != self.shape or pixels.shape[:2] != self.cell(shape):
            return None
        height = self._pitch_pixels
        inked = (pixels[::-1][height // 2 :: height, _STEP_PIXELS // 2 :: _STEP_PIXELS] == _INK).all(2)
        return np.where(inked.T, np.float32(1), np.float32(-1))[None]

    def to_show(self) -> Mapping[str, Any]:
        """Facts with which a browser writes and plays bars as `mintage.midi` does."""
        from mintage.midi import GENERATED, PLUCKED

        return {**self.to_json(), "rate": _RATE, "timbre": PLUCKED._asdict(), "comments": GENERATED}

    def figures(self, samples: "FloatImages") -> Mapping[str, Sequence[float]]:
        """Each bar's number of notes, range in semitones, and number of pitches that sound at once."""
        import numpy as np

        from mintage.midi import notes_of

        heard = self._heard(samples)
        used = [np.flatnonzero(bar.any(0)) for bar in heard]
        return {
            "notes": [float(sum(1 for _ in notes_of(bar))) for bar in heard],
            "range": [float(pitches[-1] - pitches[0]) if len(pitches) else 0.0 for pitches in used],
            "together": heard.sum(2).max(1).astype(float).tolist(),
        }

    def _heard(self, samples: "FloatImages") -> "Sounding":
        """Which pitches sound: `[N,T,P]`, bool."""
        import torch

        from mintage.rolls import sounding

        return sounding(torch.from_numpy(samples), self.voices).numpy()

    def cell(self, shape: Shape) -> tuple[int, int]:
        return shape[2] * self._pitch_pixels, shape[1] * _STEP_PIXELS

    @property
    def _pitch_pixels(self) -> int:
        return min(max(_ROLL_PIXELS // self.pitches, _PITCH_PIXELS[0]), _PITCH_PIXELS[1])

    def pixels(self, samples: "FloatImages") -> "Levels":
        """Piano rolls: high notes at the top, lines at bars, beats and each C. What does not sound is faint."""
        import numpy as np

        heard = self._heard(samples)
        shares = np.where(heard, 1.0, _FAINT * (samples.max(1) + 1) / 2)  # [N,T,P]
        keys = (np.arange(self.pitches) + self.lowest) % 12
        paper = np.where(np.isin(keys, _BLACK_KEYS)[:, None], _BLACK_KEY, _PAPER)  # [P,3]
        paper = np.broadcast_to(paper[None], (STEPS, *paper.shape)).astype(np.float64)  # [T,P,3]
        height = self._pitch_pixels
        inked = shares[..., None] * np.array(_INK) + (1 - shares[..., None]) * paper
        large = inked.repeat(_STEP_PIXELS, 1).repeat(height, 2)  # [N, width, height, 3]
        lined = np.zeros(large.shape[1:3], np.bool_)
        lined[:: 4 * _STEP_PIXELS] = True
        lined[:, [pitch * height for pitch in np.flatnonzero(keys == 0)]] = True
        silent = ~heard.repeat(_STEP_PIXELS, 1).repeat(height, 2)
        large[lined & silent] = _LINE
        large[:, 0], large[:, :, 0] = _FRAME, _FRAME  # a bar line, and the bottom
        return np.ascontiguousarray(large.transpose(0, 3, 2, 1)[:, :, ::-1].round().astype(np.uint8))

    def measure(self, samples: "Tensor", held_out: "Tensor") -> dict[str, float]:
        """Metrics on equal numbers of both; the larger set is sampled."""
        import torch

        from mintage.metrics.music import music_figures
        from mintage.randomness import stream
        from mintage.rolls import sounding

        count = min(len(samples), len(held_out))
        drawn = [torch.randperm(len(some), generator=stream(0, "bars"))[:count] for some in (samples, held_out)]
        fake, real = (sounding(some[rows], self.voices) for some, rows in zip((samples, held_out), drawn, strict=True))
        return music_figures(real, fake, self.lowest)
