"""Digits and their edges, never in pairs: `python -m benchmarks.coupled MNIST [OPTIONS]`.

MNIST is a folder with its four IDX files; digits are cut to their middle 20 x 20 pixels and shrunk to 16x16. Every
other digit is of the first domain; of those between only the edges are, in the second. What the second generator makes
of a latent is compared with the edges of what the first makes of it, which is the truth. Beside it: the same with
partners of other latents, and two generators of the same networks and latents that share nothing. Writes a sheet:
digits, what is made as their edges, their edges. One thread; generators are the averaged ones of the last step.
"""

import json
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import mintage
from benchmarks.domains import of_mnist
from benchmarks.options import natural
from benchmarks.shared import png_of
from mintage.metrics.pairs import absolute_error, luminance_correlation
from stages.common.errors import run_stage
from stages.common.params import Normalize
from stages.common.stage import parser_of
from stages.images.partners import made

DOMAINS, COMPARED, SHOWN = ("digit", "edges"), 500, 20
APART: dict[str, Any] = {
    "network": "cogan",
    "generator": {"initialization": "xavier", "weight_decay": 0.0005, "learning_rate": 0.001},
    "discriminator": {"initialization": "xavier", "weight_decay": 0.0005, "learning_rate": 0.0005, "width": 20},
}
"""Changes of the row `cogan` for a single domain."""


def main() -> None:
    parser = parser_of("benchmarks.coupled", __doc__)
    parser.add_argument("mnist", type=Path)
    parser.add_argument("--images", type=natural, default=60_000, help="of each domain")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", type=json.loads, default={}, help="as JSON")
    parser.add_argument("--sheet", type=Path, default=Path("coupled.png"))
    asked = parser.parse_args()
    train = of_both(*of_mnist(asked.mnist, "train"))
    settings: dict[str, Any] = {"seed": asked.seed, "device": "cpu", "threads": 1}
    model = mintage.train(train, "cogan", asked.images, asked.recipe, **settings).model
    digits, drawn = (model.sample(COMPARED, asked.seed, label=domain) for domain in DOMAINS)
    asked.sheet.write_bytes(sheet(digits, drawn))
    tell("shared layers", drawn, edges(digits))
    tell("partners of other latents", drawn, edges(digits).roll(1, 0))
    apart = [mintage.train(train.of_domain(one), "dcgan", asked.images, APART, **settings).model for one in DOMAINS]
    alone, others = (one.sample(COMPARED, asked.seed) for one in apart)
    tell("nothing shared", others, edges(alone))


def of_both(images: Tensor, labels: Tensor) -> mintage.Dataset:
    """A data set of digits, and of other digits' edges."""
    drawn = torch.cat([images[::2], edges(images[1::2])])
    domain = torch.arange(2).repeat_interleave(torch.tensor([len(images[::2]), len(images[1::2])]))
    return mintage.Dataset(drawn, torch.cat([labels[::2], labels[1::2]]), domain=domain, domains=DOMAINS)


def edges(images: Tensor) -> Tensor:
    """The edges of images, as `normalize.partner: edges` makes them."""
    params = Normalize.model_construct(partner="edges")
    return torch.from_numpy(made(params, images.clamp(-1, 1).numpy(), [0] * len(images))).float()


def tell(what: str, drawn: Tensor, truth: Tensor) -> None:
    distances = torch.cdist(drawn.flatten(1), truth.flatten(1))
    found = (distances.argmin(1) == torch.arange(len(drawn))).double().mean()
    l1, correlation = absolute_error(drawn, truth).mean(), luminance_correlation(drawn, truth).mean()
    print(f"{what}: correlation {correlation:.2f}, L1 {l1:.3f}, own edges nearest of {len(drawn)}: {found:.1%}")
    sys.stdout.flush()


def sheet(digits: Tensor, drawn: Tensor) -> bytes:
    """Three rows: digits, the generated edges, the true edges."""
    return png_of([one[:SHOWN] for one in (digits, drawn, edges(digits))], SHOWN, scale=3)


if __name__ == "__main__":
    run_stage(main)
