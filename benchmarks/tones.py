"""How drawn tones are judged before louder and fainter backgrounds: `python -m benchmarks.tones` prints a table."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from benchmarks.shared import judge_of
from benchmarks.sounds import shaped_noise
from mintage.dataset import Dataset
from mintage.evaluator import classify, features_of
from mintage.metrics.accuracy import accuracy
from mintage.metrics.frechet import frechet_distance
from stages.common.errors import run_stage
from stages.common.stage import parser_of
from stages.sources.tones import BACKGROUND, TONES, draw_tone

LENGTH, TRAIN, HELD = 1024, 3200, 800
LEVELS = (50.0, 40.0, 30.0, 20.0, 15.0, 10.0, 5.0)
"""Decibels of a tone above the noise behind it."""


def tones(numbers: range, background: Sequence[float] | None = BACKGROUND) -> tuple[Tensor, Tensor]:
    """The tones `[N,1,T]` of example `tones_wavegan`, and their kinds."""
    drawn = np.stack([draw_tone(LENGTH, 0, number, background) for number in numbers]).astype(np.float32)
    return torch.from_numpy(drawn)[:, None], torch.tensor([number % len(TONES) for number in numbers])


def main() -> None:
    parser_of("benchmarks.tones", __doc__).parse_args()
    torch.set_num_threads(1)
    (train, kinds), (held, _), shown = tones(range(TRAIN)), tones(range(TRAIN, TRAIN + HELD)), range(HELD)
    data = Dataset(train, kinds, [*TONES], rank=1)
    judge = judge_of(data, 12_000)
    real, asked = features_of(judge, held), kinds[:HELD]
    rows = {
        "real": train[:HELD],
        **{f"all {level:.0f} dB above their background": tones(shown, [level])[0] for level in LEVELS},
        "without a background": tones(shown, None)[0],
        "noise of each kind's spectrum and loudness": shaped_noise(data, asked, 0),
    }
    print("| tones | Frechet distance | taken for their kind |\n| --- | --- | --- |")
    for name, sounds in rows.items():
        features = features_of(judge, sounds)
        right = accuracy(classify(judge, features), asked)
        print(f"| {name} | {frechet_distance(real, features):.2f} | {100 * right:.1f}% |", flush=True)


if __name__ == "__main__":
    run_stage(main)
