"""How often the detector in models/selected is right: `python -m benchmarks.detector`, after `select` made one.

Asks it about held-out pictures and as many new ones of the model, as they are, and changed as files are on their way:
saved as JPEG, made brighter, or enlarged smoothly and made as small again.
"""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from mintage import load, load_detector
from mintage.metrics.accuracy import share_error
from stages.common.errors import run_stage
from stages.common.levels import floats, to_uint8
from stages.common.split import Split
from stages.common.stage import parser_of

SELECTED = Path("models/selected")
SEED = 12345
MOST = 1000
Change = Callable[[Image.Image], Image.Image]


def main() -> None:
    parser_of("benchmarks.detector", __doc__).parse_args()
    detector, split = load_detector(SELECTED), Split("data/normalized/holdout")
    real = split.take(np.linspace(0, len(split) - 1, min(MOST, len(split))).astype(int))
    made = load(SELECTED).sample(len(real), SEED).numpy()
    print("| picture | real ones taken for real | generated ones for generated |\n| --- | --- | --- |")
    for name, change in CHANGES.items():
        taken = [detector.detect(changed(to_uint8(images), change)).double().mean().item() for images in (real, made)]
        shares = (f"{100 * one:.1f}% (± {100 * share_error(one, len(real)):.1f})" for one in (1 - taken[0], taken[1]))
        print(f"| {name} | {' | '.join(shares)} |")


def changed(levels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], change: Change) -> Tensor:
    pictures = [Image.fromarray(one[0] if len(one) == 1 else np.moveaxis(one, 0, -1)) for one in levels]
    found = np.stack([np.asarray(change(picture)).reshape(*levels.shape[2:], -1) for picture in pictures])
    return torch.from_numpy(floats(np.ascontiguousarray(np.moveaxis(found, -1, 1))))


def as_jpeg(quality: int) -> Change:
    def change(picture: Image.Image) -> Image.Image:
        content = io.BytesIO()
        picture.save(content, "JPEG", quality=quality)
        return Image.open(content)

    return change


def enlarged_and_back(picture: Image.Image) -> Image.Image:
    large = picture.resize((4 * picture.width, 4 * picture.height), Image.Resampling.BICUBIC)
    return large.resize(picture.size, Image.Resampling.LANCZOS)


CHANGES: dict[str, Change] = {
    "unchanged": lambda picture: picture,
    "JPEG of quality 90": as_jpeg(90),
    "JPEG of quality 75": as_jpeg(75),
    "brighter by 10 of 255 levels": lambda picture: picture.point(lambda level: min(255, level + 10)),
    "enlarged 4 times, smoothly, and small again": enlarged_and_back,
}


if __name__ == "__main__":
    run_stage(main)
