"""Handwritten digits of two origins without pairs, UCI's and MNIST's: `python -m benchmarks.domains MNIST [OPTIONS]`.

MNIST is a folder with its four IDX files. UCI's digits are those of scikit-learn, 8x8, enlarged to 16x16; MNIST's are
cut to their middle 20 x 20 pixels, since UCI's have no margin, and shrunk to 16x16. A fifth of UCI's and MNIST's
official test set never train. Labels never train either: they only measure. One thread; the generator is the averaged
one of the last step. Writes a sheet of held-out images, their translation, and back again.
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor
from torch.nn.functional import interpolate

import mintage
from benchmarks.options import natural
from benchmarks.shared import png_of
from mintage.model import Model
from mintage.randomness import stream
from stages.common.errors import run_stage
from stages.common.stage import parser_of

SIDE, MIDDLE, SHOWN = 16, slice(4, 24), 20
DOMAINS = ("uci", "mnist")


def main() -> None:
    parser = parser_of("benchmarks.domains", __doc__)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--family", default="cyclegan")
    parser.add_argument("--images", type=natural, default=30_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", type=json.loads, default={}, help="as JSON")
    parser.add_argument("--folder", type=Path, help="where the state is kept, to go on from")
    parser.add_argument("--sheet", type=Path, default=Path("domains.png"))
    asked = parser.parse_args()
    train, holdout = digits(asked.mnist)
    model = mintage.train(
        train, asked.family, asked.images, asked.recipe, seed=asked.seed, device="cpu", folder=asked.folder
    ).model
    for to in DOMAINS:
        print(f"to {to}:")
        for name, figure in mintage.measure(model, holdout, train, seed=asked.seed, to=to).items():
            print(f"  {name}: {figure}")
        sys.stdout.flush()
    asked.sheet.write_bytes(sheet(model, holdout))


def digits(mnist: Path) -> tuple[mintage.Dataset, mintage.Dataset]:
    """The digits of both domains: training data and holdout."""
    found = load_digits()
    uci, labels = torch.from_numpy(found.images).float().unsqueeze(1) / 8 - 1, torch.from_numpy(found.target)
    order = torch.randperm(len(uci), generator=stream(0, "benchmark/split"))
    held = len(uci) // 5
    return (
        both(uci[order[held:]], labels[order[held:]], *of_mnist(mnist, "train")),
        both(uci[order[:held]], labels[order[:held]], *of_mnist(mnist, "t10k")),
    )


def both(uci: Tensor, uci_labels: Tensor, mnist: Tensor, mnist_labels: Tensor) -> mintage.Dataset:
    enlarged = interpolate(uci, size=(SIDE, SIDE), mode="bicubic", align_corners=False).clamp(-1, 1)
    domain = torch.arange(2).repeat_interleave(torch.tensor([len(uci), len(mnist)]))
    images, labels = torch.cat([enlarged, mnist]), torch.cat([uci_labels, mnist_labels])
    return mintage.Dataset(images, labels, domain=domain, domains=DOMAINS)


def of_mnist(folder: Path, part: str, cut: slice = MIDDLE, side: int = SIDE) -> tuple[Tensor, Tensor]:
    levels = idx(folder, f"{part}-images", 16).reshape(-1, 1, 28, 28)[:, :, cut, cut]
    images = torch.from_numpy(levels.astype(np.float32)) / 127.5 - 1
    labels = torch.from_numpy(idx(folder, f"{part}-labels", 8).astype(np.int64))
    return interpolate(images, size=(side, side), mode="area"), labels


def idx(folder: Path, stem: str, header: int) -> "np.ndarray[tuple[int], np.dtype[np.uint8]]":
    path = next(folder.glob(f"{stem}*"))
    content = path.read_bytes()
    return np.frombuffer(gzip.decompress(content) if path.suffix == ".gz" else content, np.uint8, offset=header)


def sheet(model: Model, holdout: mintage.Dataset) -> bytes:
    """Three rows for each direction: images of the holdout, their translations, and these translated back."""
    rows = []
    for source, to in (DOMAINS, DOMAINS[::-1]):
        given = holdout.of_domain(source).image[:SHOWN]
        made = model.translate(given, to=to)
        rows += [given, made, model.translate(made, to=source)]
    return png_of(rows, SHOWN, scale=3)


if __name__ == "__main__":
    run_stage(main)
