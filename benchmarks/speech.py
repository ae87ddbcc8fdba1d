"""Noise taken off speech (Pascual et al. 2017), beside spectral subtraction and the same network without a game.

`python -m benchmarks.speech SPEECH NOISE` prints tables and writes docs/speech.png. How much of the noisy sound is left
in what a network makes (`blend`) is chosen first, on sentences that it learned from. SPEECH has `speech.zip` and
`transcripts.csv` (file, split: train or test, told apart by sentence); NOISE has `train-KIND.wav` and `test-KIND.wav`.
Needs requirements/speech.txt. Runs that are stopped go on from `--run`.
"""

import csv
import json
import math
import time
import zipfile
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from torch import Tensor

import mintage
from benchmarks.options import natural
from benchmarks.shared import png_of
from mintage.dataset import Dataset
from mintage.metrics.pairs import si_sdr
from mintage.sounds import save_wav, spectrograms
from mintage.waves import Samples, decode_wav, mixed
from mintage.windows import Windows
from stages.common.errors import run_stage
from stages.common.stage import parser_of

RATE, WINDOW = 8000, 4096
LEVELS = (0.0, 5.0, 10.0)
"""Decibels of speech above noise."""
TIMES = 3
"""How often each training sentence is mixed with noise, each time with another piece."""
FRAME, HOP = 256, 64
OVER, LEAST, QUIET = 2.0, 0.01, 0.1
"""For spectral subtraction: the factor of the noise to subtract, the least share that is left, and the share of frames
without speech."""
BLENDS, CHEAP, JUDGED = (0.0, 0.1, 0.2, 0.3, 0.4), 0.5, 45
"""Shares of the noisy sound to choose from; the most decibels of SI-SDR below the best that the choice may cost, which
is the share with the highest STOI; and the number of training sentences for it."""
SHOWN = ("white", 0.0), ("babble", 5.0), ("brown", 5.0)
COLUMNS = 128
ALONE = {"residual": True, "pretrain_images": 1e9}
HEADER = "| | SI-SDR | PESQ | STOI |\n| --- | --- | --- | --- |"
Method = Callable[[Tensor], Tensor]
"""From a noisy sound `[1,T]` to the sound without noise, `[1,T]`."""


@dataclass(frozen=True)
class Utterance:
    clean: Tensor
    """The sentence without noise, `[1,T]`."""
    noisy: Tensor
    kind: str
    """The kind of noise."""
    level: float


def read_speech(folder: Path) -> dict[str, list[Samples]]:
    """The sentences of each side of the split."""
    found: dict[str, list[Samples]] = {"train": [], "test": []}
    with zipfile.ZipFile(folder / "speech.zip") as packed, open(folder / "transcripts.csv") as file:
        for row in csv.DictReader(file):
            if row["split"] in found:
                sound, rate = decode_wav(packed.read(row["file"]))
                assert rate == RATE, row["file"]
                found[row["split"]].append(sound)
    return found


def read_noise(folder: Path, side: str) -> dict[str, Samples]:
    return {
        path.stem.removeprefix(f"{side}-"): decode_wav(path.read_bytes())[0]
        for path in sorted(folder.glob(f"{side}-*.wav"))
    }


def utterance(
    clean: Samples, noises: dict[str, Samples], kind: str, level: float, random: np.random.Generator
) -> Utterance:
    """A sentence with a random piece of the noise, at this level over the whole sentence."""
    noise = noises[kind]
    first = random.integers(noise.shape[1])
    piece = np.take(noise, np.arange(first, first + clean.shape[1]), axis=1, mode="wrap")
    softer, noisy = mixed(clean, piece, level)
    return Utterance(torch.from_numpy(softer), torch.from_numpy(noisy), kind, level)


def to_train(sentences: Sequence[Samples], noises: dict[str, Samples]) -> Dataset:
    """Windows of sentences, clean and with noise; kinds and levels in turn."""
    random, kinds = np.random.default_rng(0), sorted(noises)
    cut: list[tuple[Tensor, Tensor]] = []
    for number in range(TIMES * len(sentences)):
        clean = sentences[number % len(sentences)]
        one = utterance(clean, noises, kinds[random.integers(len(kinds))], LEVELS[random.integers(3)], random)
        windows = Windows(clean.shape[1], WINDOW)
        cut.append((windows.cut(one.clean), windows.cut(one.noisy)))
    clean_windows, noisy_windows = (torch.cat(each) for each in zip(*cut, strict=True))
    return Dataset(image=clean_windows, source=noisy_windows, rank=1)


def to_test(sentences: Sequence[Samples], noises: dict[str, Samples]) -> list[Utterance]:
    """Each sentence once; kinds and levels in turn, so that all combinations occur."""
    random, kinds = np.random.default_rng(1), sorted(noises)
    both = [(kind, level) for kind in kinds for level in LEVELS]
    return [utterance(clean, noises, *both[number % len(both)], random) for number, clean in enumerate(sentences)]


def to_choose(sentences: Sequence[Samples], noises: dict[str, Samples]) -> list[Utterance]:
    """Some of the training sentences, with other pieces of the training noise."""
    some = np.random.default_rng(5).permutation(len(sentences))[:JUDGED]
    return to_test([sentences[number] for number in some], noises)


def subtract(noisy: Tensor) -> Tensor:
    """Spectral subtraction (Berouti et al. 1979): the noise's power is the mean of the quietest frames."""
    window = torch.hann_window(FRAME)
    spectrum = torch.stft(noisy, FRAME, HOP, window=window, return_complex=True)
    power = spectrum.abs().square()
    order = power.sum(1)[0].argsort()[: max(1, int(QUIET * power.shape[2]))]
    noise = power[:, :, order].mean(2, keepdim=True)
    kept = (power - OVER * noise).maximum(LEAST * noise) / power.clamp(min=1e-12)
    return torch.istft(spectrum * kept.clamp(max=1).sqrt(), FRAME, HOP, window=window, length=noisy.shape[1])


def figures(test: Sequence[Utterance], method: Method) -> list[tuple[float, float, float]]:
    """SI-SDR in decibels, narrow-band PESQ and STOI of each sentence."""
    from pesq import NoUtterancesError, pesq  # only installed to measure speech (requirements/speech.txt)
    from pystoi import stoi

    found = []
    for one in test:
        made = method(one.noisy)
        clean, shown = one.clean[0].double().numpy(), made[0].double().numpy()
        try:
            quality = pesq(RATE, clean, shown, "nb")
        except NoUtterancesError:  # too short, or silent
            quality = float("nan")
        found.append((si_sdr(made[None], one.clean[None]).item(), quality, stoi(clean, shown, RATE)))
    return found


def means(found: Sequence[tuple[float, float, float]]) -> list[float]:
    return [mean(value for value in each if not math.isnan(value)) for each in zip(*found, strict=True)]


def row(name: str, found: Sequence[tuple[float, float, float]]) -> str:
    sdr, quality, heard = means(found)
    return f"| {name} | {sdr:.2f} | {quality:.2f} | {heard:.3f} |"


def tables(test: Sequence[Utterance], methods: dict[str, Method]) -> str:
    """Tables of all test sentences, then by the kind of noise, then by its level."""
    found = {name: figures(test, method) for name, method in methods.items()}
    parts = {"all": [True] * len(test)}
    parts |= {f"{kind} noise": [one.kind == kind for one in test] for kind in sorted({one.kind for one in test})}
    parts |= {f"{level:g} dB": [one.level == level for one in test] for level in LEVELS}
    lines = []
    for part, there in parts.items():
        lines += [f"\n{part}: {sum(there)} sentences\n", HEADER]
        lines += [
            row(name, [one for one, taken in zip(each, there, strict=True) if taken]) for name, each in found.items()
        ]
    return "\n".join(lines)


def learned(data: Dataset, images: int, folder: Path, **recipe: object) -> mintage.Run:
    begun = time.process_time()
    run = mintage.train(data, "segan", images=images, recipe=recipe, folder=folder)
    print(
        f"{folder.name}: {images:,} windows of {len(data):,}, {time.process_time() - begun:.0f} CPU seconds", flush=True
    )
    return run


def with_blend(model: mintage.Model, share: float) -> mintage.Model:
    """The same network, with another share of its source in its result."""
    generator = deepcopy(model.generator)
    generator.config = replace(generator.config, blend=share)
    return mintage.Model(generator)


def chosen(name: str, model: mintage.Model, test: Sequence[Utterance]) -> float:
    """The chosen share of the noisy sound to keep; prints the figures of each share."""
    found = {share: figures(test, partial(_translated, with_blend(model, share))) for share in BLENDS}
    print(f"\n{name}, sentences to train on under other noise, by the share of the noisy sound\n\n{HEADER}")
    print("\n".join(row(f"{share:g}", each) for share, each in found.items()))
    reached = {share: means(each) for share, each in found.items()}
    best = max(sdr for sdr, _, _ in reached.values())
    return max((heard, share) for share, (sdr, _, heard) in reached.items() if sdr > best - CHEAP)[1]


def _translated(model: mintage.Model, noisy: Tensor) -> Tensor:
    return model.translate(noisy[None])[0]


def seams(model: mintage.Model, noisy: Tensor) -> tuple[float, float]:
    """How much larger the sound's steps are where windows meet than elsewhere: end to end, and with overlaps."""
    whole = noisy[:, : noisy.shape[1] // WINDOW * WINDOW]
    beside = model.translate(whole.reshape(-1, 1, WINDOW)).reshape(1, -1)
    faded = model.translate(whole[None])[0]
    return _steps(beside, WINDOW), _steps(faded, WINDOW // 2)


def _steps(sound: Tensor, every: int) -> float:
    step = sound[0].diff().abs()
    return (step[every - 1 :: every].mean() / step.mean()).item()


def picture(test: Sequence[Utterance], methods: dict[str, Method]) -> bytes:
    """A row for each sentence: noisy, the result of each method, clean; the middle second of each."""
    rows = []
    for kind, level in SHOWN:
        one = next(each for each in test if (each.kind, each.level) == (kind, level) and each.clean.shape[1] > 2 * RATE)
        shown = [method(one.noisy) for method in methods.values()] + [one.clean]
        begins = one.clean.shape[1] // 2 - RATE // 2
        rows += [sound[:, begins : begins + COLUMNS * HOP] for sound in shown]
    return png_of([spectrograms(torch.stack(rows), RATE, hop=HOP)], len(methods) + 1, scale=2)


def main() -> None:
    parser = parser_of("benchmarks.speech", __doc__)
    parser.add_argument("speech", type=Path)
    parser.add_argument("noise", type=Path)
    parser.add_argument("--images", type=natural, default=20_000, help="windows to learn from, with a game")
    parser.add_argument("--recipe", type=json.loads, default=ALONE, help="of one more run (default: L1 alone)")
    parser.add_argument("--run", type=Path, default=Path("runs/speech"))
    parser.add_argument("--picture", type=Path, default=Path("docs/speech.png"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    sentences = read_speech(asked.speech)
    heard, unheard = (read_noise(asked.noise, side) for side in ("train", "test"))
    data = to_train(sentences["train"], heard)
    recipes: dict[str, dict[str, object]] = {"more": asked.recipe, "segan": {}}
    models = {name: learned(data, asked.images, asked.run / name, **recipe).model for name, recipe in recipes.items()}
    methods: dict[str, Method] = {"under noise": lambda noisy: noisy, "spectral subtraction": subtract}
    to_judge = to_choose(sentences["train"], heard)
    for name, model in models.items():
        share = chosen(name, model, to_judge)
        for left in dict.fromkeys((0.0, share)):
            methods[f"{name}, {left:g} of the noisy sound left"] = partial(_translated, with_blend(model, left))
    test = to_test(sentences["test"], unheard)
    print(tables(test, methods), flush=True)
    long = torch.cat([one.noisy for one in test], dim=1)
    ends, faded = seams(models["segan"], long)
    print(f"\nsteps where windows meet, beside others: {ends:.2f} times end to end, {faded:.2f} times as it is done")
    asked.picture.write_bytes(picture(test, methods))
    for name, method in methods.items():
        save_wav(asked.run / f"{name.replace(' ', '-')}.wav", method(test[4].noisy), RATE)


if __name__ == "__main__":
    run_stage(main)
