"""How drawn tones are judged that have faint noise around them: `python -m benchmarks.tones` prints a table."""

import numpy as np
import torch
from torch import Tensor

from benchmarks.shared import judge_of
from mintage.dataset import Dataset
from mintage.evaluator import classify, features_of
from mintage.metrics.accuracy import accuracy
from mintage.metrics.frechet import frechet_distance
from mintage.randomness import stream
from mintage.waves import mixed
from stages.common.errors import run_stage
from stages.common.stage import parser_of
from stages.sources.tones import TONES, draw_tone

LENGTH, TRAIN, HELD = 1024, 3200, 800
LEVELS = (80, 60, 50, 40, 30, 20)
"""Decibels of a tone above white noise."""


def tones(numbers: range) -> tuple[Tensor, Tensor]:
    """The tones `[N,1,T]` of example `tones_wavegan`, and their kinds."""
    drawn = np.stack([draw_tone(LENGTH, 0, number) for number in numbers]).astype(np.float32)
    return torch.from_numpy(drawn)[:, None], torch.tensor([number % len(TONES) for number in numbers])


def under_noise(sounds: Tensor, decibels: float) -> Tensor:
    noise = torch.randn(sounds.shape, generator=stream(0, "noise")).numpy()
    pairs = zip(sounds.numpy(), noise, strict=True)
    return torch.from_numpy(np.stack([mixed(sound, beside, decibels)[1] for sound, beside in pairs]))


def main() -> None:
    parser_of("benchmarks.tones", __doc__).parse_args()
    torch.set_num_threads(1)
    (train, kinds), (held, _) = tones(range(TRAIN)), tones(range(TRAIN, TRAIN + HELD))
    judge = judge_of(Dataset(train, kinds, [*TONES], rank=1), 12_000)
    real, shown = features_of(judge, held), train[:HELD]
    print("| real tones | Frechet distance | taken for their kind |\n| --- | --- | --- |")
    for name, sounds in [
        ("as they are", shown),
        *((f"{one} dB above noise", under_noise(shown, one)) for one in LEVELS),
    ]:
        features = features_of(judge, sounds)
        right = accuracy(classify(judge, features), kinds[:HELD])
        print(f"| {name} | {frechet_distance(real, features):.2f} | {100 * right:.1f}% |", flush=True)


if __name__ == "__main__":
    run_stage(main)
