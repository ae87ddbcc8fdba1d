"""How often a picture is recognized: `dvc repro sample`, then `python -m benchmarks.recognize`.

Samples that the pipeline made here lie in a store of their own; each is changed and looked for by its looks alone. So
are images that lie in none: others of the same model, and real ones that were held out. With --real half of the
held-out images stand for the samples, and the other half for those that lie in none. Prints a table.
"""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.options import natural
from mintage.sampling import samples
from stages.common.errors import UserError, run_stage
from stages.common.levels import Levels, to_uint8
from stages.common.models import read_generator
from stages.common.pictures import encode_png
from stages.common.split import Split
from stages.common.stage import parser_of
from stages.releases.recognition import Samples, levels_of, pictures_in
from stages.sampling.rows import labels_for

OURS = "ours"


def as_jpeg(levels: Levels) -> bytes:
    content = io.BytesIO()
    planes = np.moveaxis(levels, 0, -1)
    Image.fromarray(planes.squeeze()).save(content, "JPEG", quality=75)
    return content.getvalue()


def moved(levels: Levels) -> Levels:
    """Pictures shifted by a pixel down and to the right, with repeated edges."""
    return np.pad(levels, [(0, 0), (1, 0), (1, 0)], mode="edge")[:, :-1, :-1]


def enlarged(levels: Levels, by: Image.Resampling) -> bytes:
    """A picture with sides four times as long, smoothed as programs for pictures do."""
    planes = Image.fromarray(np.moveaxis(levels, 0, -1).squeeze())
    content = io.BytesIO()
    planes.resize((4 * planes.width, 4 * planes.height), by).save(content, "PNG")
    return content.getvalue()


CHANGES: dict[str, Callable[[Levels], bytes]] = {
    "its mark stripped": encode_png,
    "JPEG, quality 75": as_jpeg,
    "moved by a pixel": lambda levels: encode_png(moved(levels)),
    "moved, and JPEG": lambda levels: as_jpeg(moved(levels)),
    "enlarged 4 times, pixel by pixel": lambda levels: encode_png(levels.repeat(4, axis=1).repeat(4, axis=2)),
    "enlarged 4 times, bicubic": lambda levels: enlarged(levels, Image.Resampling.BICUBIC),
    "enlarged 4 times, bilinear": lambda levels: enlarged(levels, Image.Resampling.BILINEAR),
    "mirrored (not claimed)": lambda levels: encode_png(levels[:, :, ::-1]),
}


def table(ours: list[Levels], others: dict[str, list[Levels]], asked: int) -> Iterator[str]:
    """A line for each change, and one for each kind of images that are in no release."""
    known = Samples([(OURS, ours)])
    yield f"| asked of a store of {len(ours):,} samples | images | recognized |"
    yield "| --- | --- | --- |"
    for name, change in CHANGES.items():
        yield _line(f"a sample, {name}", known, [change(levels) for levels in ours[:asked]])
    for name, pictures in others.items():
        yield _line(name, known, [encode_png(levels) for levels in pictures[:asked]])


def _line(name: str, known: Samples, pictures: list[bytes]) -> str:
    found = sum(bool(known.search(levels_of(picture)).releases) for picture in pictures)
    return f"| {name} | {len(pictures):,} | {found / len(pictures):.1%} |"


def main() -> None:
    parser = parser_of("benchmarks.recognize", __doc__)
    parser.add_argument("--asked", type=natural, default=1000, help="images of each kind (default: %(default)s)")
    parser.add_argument("--real", action="store_true", help="held-out images in place of samples")
    arguments = parser.parse_args()
    holdout = Path("data/normalized/holdout")
    if not holdout.exists():
        raise UserError("output-missing", f"{holdout} is missing: run `dvc repro sample` first")
    real = list(to_uint8(Split(holdout).images()))
    if arguments.real:
        half = len(real) // 2
        ours, others = real[:half], {"another real image": real[half:]}
    else:
        files = sorted(Path("samples").glob("*.parquet"))
        ours = [levels for file in files for levels in pictures_in(file.read_bytes())]
        generator = read_generator("models/selected", torch.device("cpu"))
        made = torch.cat(
            [images for images, _ in samples(generator, arguments.asked, 1, labels_for([], generator.config))]
        )
        others = {"another image of the same model": list(to_uint8(made.numpy())), "a real image, held out": real}
    for line in table(ours, others, arguments.asked):
        print(line)


if __name__ == "__main__":
    run_stage(main)
