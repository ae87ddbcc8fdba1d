"""Bars of melodies from noise (Yang et al. 2017): figures beside held-out bars, and beside a Markov chain of notes.

`python -m benchmarks.rolls tunes` prints a table, a row whenever it has learned twice as long, and writes
docs/music-tunes.png; `python -m benchmarks.rolls chorales.json` does so of the sopranos of Bach's chorales. A run that
is stopped goes on from `--run`, where MIDI files of what was generated are, too. With `--following` each bar is made of
the one before, with `--chords` each of its chord: of chorales that of all four voices, of tunes the one they are drawn
over; with both options each of both.
"""

import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from torch import Tensor

import mintage
from benchmarks.options import natural
from benchmarks.shared import row_of_draws
from mintage.chords import ROOTS, Chord, chord_of
from mintage.dataset import Dataset
from mintage.metrics.music import chord_tones, copied_bars, music_figures
from mintage.midi import notes_of
from mintage.rolls import as_rolls, melodies, save_midi, sounding
from mintage.sources import with_attributes
from stages.common.errors import run_stage
from stages.common.pictures import encode_png, grid
from stages.common.stage import parser_of
from stages.media.rolls import STEPS, Rolls
from stages.sources.tunes import LOWEST, PITCHES, draw_over_chords, draw_tune

TUNES, BARS = 1000, 4
SOPRANO, SOPRANO_PITCHES = 55, 28
"""A soprano's lowest pitch, and its number of pitches."""
DRAWS, SHOWN = 3, 8
IMAGES = (12_500, 25_000, 50_000, 100_000, 200_000)
FIGURES = (
    "pitch_divergence",
    "interval_divergence",
    "duration_divergence",
    "motif_gap",
    "rhythm_gap",
    "in_scale",
    "distinct_bars",
)
HEADER = (
    "| bars | pitch divergence | interval divergence | duration divergence | motif gap | rhythm gap | in scale "
    "| distinct | copies |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)
Note = tuple[int, int]
"""A pitch, or -1 for a rest, and its duration in steps."""


@dataclass(frozen=True)
class Melodies:
    """Bars of one voice, `[N,16,P]` bool, and the bar before each, empty before the first bar of a piece."""

    name: str
    lowest: int
    train: Tensor
    held: Tensor
    before_train: Tensor
    before_held: Tensor
    chords_train: list[Chord] = field(default_factory=list)
    chords_held: list[Chord] = field(default_factory=list)
    """The chord of each bar of the holdout, with `--chords`."""


def draw_tunes(*, over_chords: bool) -> Melodies:
    """Tunes drawn from a known chain; a fifth is the holdout."""
    drawn = [
        draw_over_chords(BARS, 0, number) if over_chords else (draw_tune(BARS, 0, number), [])
        for number in range(TUNES)
    ]
    bars = torch.from_numpy(np.stack([tune for tune, _ in drawn])).view(TUNES, BARS, STEPS, PITCHES)
    first = TUNES * 4 // 5
    sides = [[*bars[:first]], [*bars[first:]]]
    chords = [[chord for _, each in some for chord in each] for some in (drawn[:first], drawn[first:])]
    return _melodies("tunes", LOWEST, sides, chords)


def sopranos(file: Path) -> Melodies:
    """Sopranos of chorales in 4/4, in the file's own split; the file's steps are sixteenths, 0 is a rest."""
    bars: dict[str, list[Tensor]] = {"train": [], "test": []}
    chords: dict[str, list[Chord]] = {"train": [], "test": []}
    pitches = torch.arange(SOPRANO, SOPRANO + SOPRANO_PITCHES)
    for piece in json.loads(file.read_text())["pieces"]:
        if {meter for _, meter in piece["time_signatures"]} == {"4/4"}:
            voice = torch.tensor(piece["voices"]["S"][piece["pickup"] :])
            whole = voice[: len(voice) // STEPS * STEPS].view(-1, STEPS)
            bars[piece["split"]].append(whole[whole.any(1), :, None] == pitches)
            chords[piece["split"]] += _chords_of(piece, whole.any(1))
    sides = [bars["train"], bars["test"]]
    return _melodies("sopranos", SOPRANO, sides, [*chords.values()])


def _melodies(name: str, lowest: int, sides: list[list[Tensor]], chords: list[list[Chord]]) -> Melodies:
    (train, held), (before_train, before_held) = (list(map(made, sides)) for made in (torch.cat, _before))
    return Melodies(name, lowest, train, held, before_train, before_held, *chords)


def _chords_of(piece: dict[str, Any], kept: Tensor) -> list[Chord]:
    """The chords of the kept bars of a chorale, from all four voices."""
    voices = torch.tensor([piece["voices"][name][piece["pickup"] :] for name in "SATB"])
    whole = voices[:, : STEPS * len(kept)].view(4, -1, STEPS)[:, kept]
    heard = (whole[..., None] == torch.arange(128)).any(0)
    heard[..., 0] = False
    return [chord for bar in heard.numpy() if (chord := chord_of(bar)) is not None]


def _before(pieces: list[Tensor]) -> Tensor:
    return torch.cat([torch.cat([torch.zeros_like(piece[:1]), piece[:-1]]) for piece in pieces])


class Chain:
    """A first-order Markov chain of notes (pitch and length), from the beginning of a bar to its end."""

    def __init__(self, bars: Tensor) -> None:
        self.next: dict[Note | None, Counter[Note]] = defaultdict(Counter)
        for bar in bars:
            before: Note | None = None
            for note in _notes(bar):
                self.next[before][note] += 1
                before = note

    def draw(self, count: int, pitches: int, seed: int) -> Tensor:
        """Random bars `[count,16,P]`; the last note ends with the bar."""
        random = np.random.default_rng(seed)
        made = torch.zeros(count, STEPS, pitches, dtype=torch.bool)
        for bar in made:
            note: Note | None = None
            step = 0
            while step < STEPS:
                choices = self.next[note] or self.next[None]
                chances = np.array([*choices.values()]) / choices.total()
                pitch, steps = note = list(choices)[random.choice(len(choices), p=chances)]
                if pitch >= 0:
                    bar[step : step + steps, pitch] = True
                step += steps
        return made


def _notes(bar: Tensor) -> Iterator[Note]:
    """The notes of a bar in order, with the rests between them."""
    step = 0
    for begin, end, pitch in sorted(notes_of(bar.numpy())):
        if begin > step:
            yield -1, begin - step
        yield pitch, end - begin
        step = end
    if step < STEPS:
        yield -1, STEPS - step


def across(before: Tensor, bars: Tensor) -> float:
    """The mean distance in semitones from a bar's last note to the next bar's first; NaN if there are no notes."""
    first, last = melodies(bars), melodies(before)
    gaps: list[float] = [
        (one[one >= 0][0] - other[other >= 0][-1]).abs().item()
        for one, other in zip(first, last, strict=True)
        if (one >= 0).any() and (other >= 0).any()
    ]
    return mean(gaps) if gaps else math.nan


def line(name: str, draws: list[Tensor], known: Melodies) -> str:
    """A row of the table: means over draws, and the lowest and the highest; each draw has the holdout's size."""
    rows = []
    for bars in draws:
        figures = music_figures(known.held, bars, known.lowest)
        rows.append([*(figures[one] for one in FIGURES), copied_bars(bars, known.train)])
    return row_of_draws(name, rows, digits=3)


def sheet(rows: list[Tensor], known: Melodies) -> bytes:
    """A picture with a row of bars that are not empty for each of `rows`."""
    medium = Rolls(known.lowest, known.held.shape[2])
    return encode_png(grid(medium.pixels(torch.cat([as_rolls(row[:SHOWN]) for row in rows]).numpy()), SHOWN, 1))


def learned(data: Dataset, family: str, images: int, folder: Path) -> mintage.Model | None:
    """The model after `images` bars; None if the folder has one of a longer training."""
    run = mintage.train(data, family, images, folder=folder, device="cpu", progress=False)
    return None if run.images > 2 * images else run.model


def from_noise(known: Melodies, images: int, folder: Path) -> None:
    data = Dataset(as_rolls(known.train))
    if (model := learned(data, "midinet", images, folder)) is None:
        return
    rolls = [model.sample(len(known.held), seed) for seed in range(DRAWS)]
    made = [sounding(one) for one in rolls]
    print(line(f"generated, after {images:,} bars", made, known), flush=True)
    by_chain = Chain(known.train).draw(SHOWN, known.held.shape[2], 0)
    Path(f"docs/music-{known.name}.png").write_bytes(sheet([known.held, by_chain, made[0], made[1]], known))
    save_midi(folder / "generated.mid", rolls[0][:SHOWN], known.lowest)


def following(known: Melodies, images: int, folder: Path) -> None:
    data = Dataset(as_rolls(known.train), source=as_rolls(known.before_train))
    if (model := learned(data, "midinet_following", images, folder / "following")) is None:
        return
    before = as_rolls(known.before_held)
    made = [sounding(model.translate(before, seed=seed)) for seed in range(DRAWS)]
    print(line(f"after {images:,} bars, each from the bar before", made, known))
    print(f"  {steps_across(made, known)}", flush=True)
    bars = [before[:SHOWN]]
    for seed in range(3):
        bars.append(as_rolls(sounding(model.translate(bars[-1], seed=seed))))
    tunes = torch.stack(bars, 1)[1:]
    save_midi(folder / "following.mid", tunes.flatten(0, 1), known.lowest)


def steps_across(draws: list[Tensor], known: Melodies) -> str:
    gaps = [across(known.before_held, one) for one in draws]
    shuffled = across(known.before_held.roll(len(known.held) // 2, 0), draws[0])
    return f"semitones from bar to bar: {mean(gaps):.2f}; from another bar: {shuffled:.2f}"


def _told(chords: list[Chord]) -> dict[str, list[Any]]:
    return {"root": [ROOTS[one.root] for one in chords], "minor": [one.minor for one in chords]}


def by_both(known: Melodies, images: int, folder: Path) -> None:
    train, held = (
        Dataset(as_rolls(bars), source=as_rolls(before), attributes=_told(chords))
        for bars, before, chords in (
            (known.train, known.before_train, known.chords_train),
            (known.held, known.before_held, known.chords_held),
        )
    )
    if (model := learned(train, "midinet_both", images, folder / "both")) is None:
        return
    assert held.source is not None
    assert held.attributes is not None
    both = with_attributes(held.source, held.attributes)
    made = [sounding(model.translate(both, seed=seed)) for seed in range(DRAWS)]
    print(line(f"after {images:,} bars, each from the bar before and of its chord", made, known))
    print(f"  {steps_across(made, known)}\n  of their chord: {chord_shares(made, known)}", flush=True)
    print(f"  heard: {chords_heard(made, known)}", flush=True)


def by_chord(known: Melodies, images: int, folder: Path) -> None:
    data, held = (
        Dataset(as_rolls(bars), attributes=_told(chords))
        for bars, chords in ((known.train, known.chords_train), (known.held, known.chords_held))
    )
    if (model := learned(data, "midinet_chords", images, folder / "chords")) is None:
        return
    generators = [torch.Generator().manual_seed(seed) for seed in range(DRAWS)]
    latents = [torch.randn(len(held), model.latent_size, generator=each) for each in generators]
    with torch.inference_mode():
        made = [sounding(model.generator(each, held.attributes)) for each in latents]
    print(line(f"after {images:,} bars, each of a held-out bar's chord", made, known))
    print(f"  of their chord: {chord_shares(made, known)}\n  heard: {chords_heard(made, known)}", flush=True)
    save_midi(folder / "chords.mid", as_rolls(made[0][:SHOWN]), known.lowest)


def chord_shares(draws: list[Tensor], known: Melodies) -> str:
    """The shares of sounding pitches that belong to the chord of the bar's condition, and to another bar's chord."""
    chords, half = known.chords_held, len(known.held) // 2
    own, other = (
        mean(chord_tones(bars, some, known.lowest) for bars in draws)
        for some in (chords, chords[half:] + chords[:half])
    )
    return f"{own:.3f}; of another bar's: {other:.3f}"


def chords_heard(draws: list[Tensor], known: Melodies) -> str:
    """How often a bar holds its chord's third, and how often `chord_of` is right of root and of minor or not."""
    thirds, roots, modes = [], [], []
    for bars in draws:
        for bar, chord in zip(bars, known.chords_held, strict=True):
            heard = chord_of(bar.numpy(), known.lowest)
            thirds.append(chord.tones[1] in (bar.any(0).nonzero() + known.lowest) % 12)
            roots.append(heard is not None and heard.root == chord.root)
            modes.append(heard is not None and heard.minor == chord.minor)
    return f"root {mean(roots):.3f}, minor or not {mean(modes):.3f}, with the third {mean(thirds):.3f}"


def main() -> None:
    parser = parser_of("benchmarks.rolls", __doc__)
    parser.add_argument("data", help="tunes, or a file of chorales")
    parser.add_argument("--images", type=natural, default=100_000, help="bars that it learns from, at most")
    parser.add_argument("--following", action="store_true", help="each bar from the one before")
    parser.add_argument("--run", type=Path, default=Path("runs/bars"), help="where the training is kept")
    parser.add_argument("--chords", action="store_true", help="each bar of its chord")
    options = parser.parse_args()
    torch.set_num_threads(1)
    known = draw_tunes(over_chords=options.chords) if options.data == "tunes" else sopranos(Path(options.data))
    held, train = known.held, known.train
    print(f"{len(train):,} bars to learn from, {len(held):,} held out, of them copies: {copied_bars(held, train):.3f}")
    gaps = [across(known.before_held.roll(by, 0), held) for by in (0, len(held) // 2)]
    print(f"semitones from held-out bar to bar: {gaps[0]:.2f}; from another bar: {gaps[1]:.2f}")
    if options.chords:
        print(f"of held-out bars of their chord: {chord_shares([held], known)}; heard: {chords_heard([held], known)}")
    print(f"\n{HEADER}")
    orders = [torch.randperm(len(train), generator=torch.Generator().manual_seed(n))[: len(held)] for n in range(DRAWS)]
    print(line("training bars (floor)", [train[order] for order in orders], known))
    chain = Chain(train)
    by_chain = [chain.draw(len(held), held.shape[2], seed) for seed in range(DRAWS)]
    print(line("Markov chain of notes", by_chain, known), flush=True)
    single = following if options.following else by_chord if options.chords else from_noise
    kind = by_both if options.following and options.chords else single
    for images in [images for images in IMAGES if images <= options.images]:
        kind(known, images, options.run / known.name)


if __name__ == "__main__":
    run_stage(main)
