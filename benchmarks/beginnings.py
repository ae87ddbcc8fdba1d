"""Where a translation had better begin: as its source (`residual`), or drawn anew, by what is done to pictures.

`python -m benchmarks.beginnings CIFAR` prints a table. CIFAR is a tar of CIFAR-10's pictures, one folder a class. Each
run is of `pix2pix` (a hole: `context_encoder`), in one thread, measured on held-out pictures.
"""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

import mintage
from benchmarks.options import natural
from mintage.paired_figures import pair_figures
from mintage.sources import untouched
from stages.common.errors import run_stage
from stages.common.params import Normalize, load_params
from stages.common.stage import parser_of
from stages.images.partners import made
from stages.selection.extraction import quantize

HELD_OUT = 1000
SHOWN = {"l1": "{:.4f}", "psnr": "{:.2f}", "ssim": "{:.3f}", "chroma_error": "{:.4f}"}
BY_CHANCE = {"masked": 0.0, "noisy": 0.2, "salt": 0.1}
"""Strengths of the damage, which is drawn anew at every step."""
TITLES = {
    "gray": "gray",
    "masked": "with a hole",
    "blurred": "blurred, 3 x 3",
    "jpeg": "JPEG of quality 10",
    "noisy": "under noise of 0.2",
    "salt": "a tenth black or white",
}


def pictures(path: Path) -> Tensor:
    """Pictures `[N,3,H,W]` in [-1,1], in random order."""
    with tarfile.open(path) as packed:
        members = sorted((one for one in packed.getmembers() if one.name.endswith((".jpg", ".png"))), key=str)
        found = [np.asarray(Image.open(io.BytesIO(_content(packed, one))).convert("RGB")) for one in members]
    order = torch.randperm(len(found), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(np.stack(found))[order].movedim(-1, 1).float() / 127.5 - 1


def _content(packed: tarfile.TarFile, one: tarfile.TarInfo) -> bytes:
    file = packed.extractfile(one)
    assert file is not None
    return file.read()


def sources(images: Tensor, damage: str, params: Normalize) -> Tensor | mintage.Damage:
    if damage in BY_CHANCE:
        return mintage.Damage(damage, BY_CHANCE[damage] or 0.3)
    if damage == "blurred":
        return avg_pool2d(pad(images, (1, 1, 1, 1), mode="replicate"), 3, 1)
    as_asked = params.model_copy(update={"partner": damage, "channels": 3})
    partners = made(as_asked, images.numpy(), range(len(images)))
    return torch.from_numpy(partners).float() / 127.5 - 1 if partners.dtype == np.uint8 else torch.from_numpy(partners)


def rows(images: Tensor, damage: str, shown: int) -> Iterator[str]:
    """The table's rows for the source itself, and for both beginnings."""
    params = load_params().normalize
    held, learned = (
        mintage.Dataset(image=part, source=sources(part, damage, params))
        for part in (images[:HELD_OUT], images[HELD_OUT:])
    )
    assert held.source is not None
    yield _row(f"{TITLES[damage]}: the source itself", untouched(held.source, held.shape), held)
    for residual in (False, True):
        family = "context_encoder" if damage == "masked" else "pix2pix"
        recipe = {"width": 16, "batch_size": 16, "redrawn": damage in BY_CHANCE, "residual": residual}
        run = mintage.train(learned, family, shown, recipe, progress=False)
        made_of_it = run.model.translate(held.source)
        yield _row("begun as it" if residual else "drawn anew", made_of_it, held)


def _row(name: str, images: Tensor, held: mintage.Dataset) -> str:
    figures = pair_figures(quantize(images), held)
    return f"| {name} | {' | '.join(form.format(figures[one]) for one, form in SHOWN.items())} |"


def main() -> None:
    parser = parser_of("benchmarks.beginnings", __doc__)
    parser.add_argument("cifar", type=Path)
    parser.add_argument("--images", type=natural, default=8_000, help="pictures to show, in each run")
    parser.add_argument("--damages", nargs="+", default=list(TITLES), choices=list(TITLES))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    images = pictures(asked.cifar)
    print("| | L1 | PSNR | SSIM | chroma error |\n| --- | --- | --- | --- | --- |")
    for damage in asked.damages:
        for row in rows(images, damage, asked.images):
            print(row, flush=True)


if __name__ == "__main__":
    run_stage(main)
