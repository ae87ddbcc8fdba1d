"""Spoken words from noise (Donahue et al. 2019): figures beside held-out voices, and beside shaped noise.

`python -m benchmarks.sounds FOLDER` prints a table, a row whenever it has learned twice as long, and writes
docs/sounds.png. FOLDER has `train/WORD/*.wav` and `test/WORD/*.wav`. A run that is stopped goes on from `--run`, where
wavs of what was generated are, too. `--judges` prints how well words are told apart by spectrograms and by the wave.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

import mintage
from benchmarks.options import natural
from benchmarks.shared import CPU, png_of, row_of_draws
from mintage.data import RealImages
from mintage.dataset import Dataset
from mintage.evaluator import Evaluator, EvaluatorConfig, classify, features_of
from mintage.learning import Schedule, train_evaluator
from mintage.metrics.accuracy import accuracy
from mintage.metrics.density_coverage import density_coverage
from mintage.metrics.frechet import frechet_distance
from mintage.quality import quality
from mintage.randomness import stream
from mintage.sounds import read_wav, resampled, save_wav, spectrograms
from stages.common.errors import run_stage
from stages.common.stage import parser_of

RATE, LENGTH, BEFORE = 8000, 4096, 128
"""Samples a second, samples of a sound, and samples before a word begins."""
QUIET, PEAK = 0.02, 0.9
DRAWS = 3
"""Draws of a model, each with the holdout's number of words."""
IMAGES = (4_000, 8_000, 16_000, 32_000, 64_000)
CONDITIONAL = {"generator": {"conditioning": "concat"}, "discriminator": {"conditioning": "projection"}}
HEADER = "| words | Frechet distance | coverage | taken for the word that was asked for |\n| --- | --- | --- | --- |"


def read(folder: Path) -> Dataset:
    """The words of one side of the split, each from its beginning, at one rate and one loudness."""
    words = sorted(path.name for path in folder.iterdir())
    files = [(path, label) for label, word in enumerate(words) for path in sorted((folder / word).glob("*.wav"))]
    return Dataset(torch.stack([word_in(path) for path, _ in files]), [label for _, label in files], words, rank=1)


def word_in(path: Path) -> Tensor:
    """A word `[1,T]`, from its first audible sample, with silence after it."""
    sound = resampled(*read_wav(path), RATE).mean(0, keepdim=True)
    sound = PEAK * sound / sound.abs().max()
    begins = max(int((sound[0].abs() > QUIET).nonzero()[0]) - BEFORE, 0)
    cut = sound[:, begins : begins + LENGTH]
    return torch.nn.functional.pad(cut, (0, LENGTH - cut.shape[1]))


def shaped_noise(train: Dataset, label: Tensor, seed: int) -> Tensor:
    """Noise `[N,1,T]` with the mean loudness, at each frequency and time, of the training sounds of each label."""
    assert train.label is not None
    length = train.shape[-1]
    drawn = torch.randn(len(label), 1, length, generator=stream(seed, "noise"))
    made = torch.empty_like(drawn)
    for word in range(int(label.max()) + 1):
        sounds = train.image[train.label == word]
        heights = torch.fft.rfft(sounds).abs().square().mean(0).sqrt()
        colored = torch.fft.irfft(torch.fft.rfft(drawn[label == word]) * heights, length)
        envelope = torch.nn.functional.avg_pool1d(sounds.square().mean(0)[None], 257, 1, 128)[0].sqrt()
        colored = colored * envelope
        made[label == word] = colored * (sounds.square().mean() / colored.square().mean()).sqrt()
    return made.clamp(-1, 1)


@dataclass(frozen=True)
class Judge:
    """Compares words with the holdout."""

    evaluator: Evaluator
    held: Dataset

    def line(self, name: str, draws: list[tuple[Tensor, Tensor]]) -> str:
        """A row for draws of sounds with their requested labels: means, and the lowest and the highest."""
        return row_of_draws(name, [self._figures(*draw) for draw in draws])

    def _figures(self, sounds: Tensor, label: Tensor) -> tuple[float, float, float]:
        real, made = features_of(self.evaluator, self.held.image), features_of(self.evaluator, sounds)
        coverage = density_coverage(real, made)[1]
        return frechet_distance(real, made), coverage, accuracy(classify(self.evaluator, made), label)


def taught(train: Dataset, listens: bool = True, images: int = 12_000) -> Evaluator:
    """A classifier of the words, by spectrograms or by the wave."""
    config = EvaluatorConfig(train.shape, train.classes, 64) if listens else _ByWave(train.shape, train.classes, 64)
    return train_evaluator(config, RealImages(train.image, train.label, 0, CPU), Schedule(images, 128, 2e-3, 0))


class _ByWave(EvaluatorConfig):
    """The config of an evaluator that gets the wave itself."""

    listens = False


def judges(train: Dataset, held: Dataset) -> None:
    print("| looked at | words shown | held-out words told apart | CPU seconds |\n| --- | --- | --- | --- |")
    for images in (3_000, 12_000):
        for name, listens in (("spectrogram, 32 x 32", True), ("wave", False)):
            begun = time.process_time()
            evaluator = taught(train, listens, images)
            seconds = time.process_time() - begun
            found = quality(evaluator, torch.split(held.image, 128), held.label)
            print(f"| {name} | {images:,} | {found:.3f} | {seconds:.0f} |", flush=True)


def main() -> None:
    parser = parser_of("benchmarks.sounds", __doc__)
    parser.add_argument("folder", type=Path, help="with train/WORD/*.wav and test/WORD/*.wav")
    parser.add_argument("--images", type=natural, default=32_000, help="words that it learns from, at most")
    parser.add_argument("--run", type=Path, default=Path("runs/words"), help="where the training is kept")
    parser.add_argument("--picture", type=Path, default=Path("docs/sounds.png"))
    parser.add_argument("--judges", action="store_true", help="compare what words are told apart by, and end")
    options = parser.parse_args()
    torch.set_num_threads(1)
    train, held = (read(options.folder / side) for side in ("train", "test"))
    assert train.label is not None
    assert held.label is not None
    if options.judges:
        judges(train, held)
        return
    judge, words, label = Judge(taught(train), held), held.classes or (), held.label
    orders = [torch.randperm(len(train), generator=stream(0, "floor", draw))[: len(held)] for draw in range(DRAWS)]
    print(HEADER)
    print(judge.line("training words (floor)", [(train.image[order], train.label[order]) for order in orders]))
    noises = [shaped_noise(train, label, draw) for draw in range(DRAWS)]
    print(judge.line("noise of each word's spectrum and loudness", [(noise, label) for noise in noises]), flush=True)
    firsts = [[int((label == word).nonzero()[number]) for word in range(len(words))] for number in range(4)]
    for images in [images for images in IMAGES if images <= options.images]:
        run = mintage.train(train, "wavegan", images, CONDITIONAL, folder=options.run, device="cpu", progress=False)
        if run.images > 2 * images:  # it resumed from a longer training
            continue
        asked = [words[number] for number in label.tolist()]
        made = [run.model.sample(len(held), seed, label=asked) for seed in range(DRAWS)]
        print(judge.line(f"generated, after {images:,} words", [(one, label) for one in made]), flush=True)
        shown = [held.image[firsts[0]], noises[0][firsts[0]], *(made[0][row] for row in firsts)]
        options.picture.write_bytes(png_of([spectrograms(torch.cat(shown), RATE)], len(words)))
        for row, word in enumerate(words):
            save_wav(options.run / f"{word}.wav", made[0][firsts[0][row]], RATE)


if __name__ == "__main__":
    run_stage(main)
