"""Outfits turned round: `python -m benchmarks.pose SPRITES.zip [OPTIONS]` prints the table of docs/translation.md.

The pairs are those of `benchmarks.sprites`. `pg2` is measured on outfits that it never saw, beside three that learn
nothing of the kind: the source as it is, the bare figure of the map, and the first of its two stages alone, as long.
An outfit is told by the picture in the wanted view, of all outfits of that sex, that lies nearest by L1. One thread.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

import mintage
from benchmarks.options import natural
from benchmarks.shared import png_of
from benchmarks.sprites import Outfit, Pair, Picture, bare_figures, pairs_of, read_sprites
from mintage.metrics.pairs import absolute_error, psnr, ssim
from stages.common.errors import run_stage
from stages.common.stage import parser_of

NEVER = 1e12
"""Images after which the game begins: never."""
SHOWN = 16


def levels(pictures: list[Picture]) -> Tensor:
    """Pictures as `[N,C,H,W]` with 8 bits."""
    return torch.from_numpy(np.stack(pictures)).movedim(-1, 1).contiguous()


def floats(pictures: Tensor) -> Tensor:
    return pictures / 127.5 - 1


def dataset(pairs: list[Pair]) -> mintage.Dataset:
    shown = {kind: levels([pair.pictures[kind] for pair in pairs]) for kind in ("truth", "source", "map")}
    return mintage.Dataset(shown["truth"], source=torch.cat([shown["source"], shown["map"]], 1))


def share_of_outfits(made: Tensor, pairs: list[Pair], outfits: list[Outfit]) -> float:
    """The share of pictures `[N,C,H,W]` nearest to their own outfit, among all outfits of that sex in the same view."""
    bare, right = bare_figures(outfits), 0
    for picture, pair in zip(made, pairs, strict=True):
        others = [one for one in outfits if one.sex == pair.outfit.sex and one is not bare[one.sex]]
        gaps = absolute_error(floats(levels([one.views[pair.after] for one in others])), picture[None])
        right += others[int(gaps.argmin())] is pair.outfit
    return right / len(pairs)


def row(name: str, made: Tensor, truths: Tensor, pairs: list[Pair], outfits: list[Outfit]) -> str:
    figures = [figure(made, truths).mean().item() for figure in (absolute_error, psnr, ssim)]
    share = share_of_outfits(made, pairs, outfits)
    return f"| {name} | {figures[0]:.4f} | {figures[1]:.2f} | {figures[2]:.3f} | {share:.1%} |"


def main() -> None:
    parser = parser_of("benchmarks.pose", __doc__)
    parser.add_argument("sprites", type=Path, metavar="SPRITES.zip")
    parser.add_argument("--each", type=natural, default=800, help="pairs of an outfit")
    parser.add_argument("--smaller", type=natural, default=2, help="so many times smaller than the sprites")
    parser.add_argument("--images", type=natural, default=120_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--recipe", type=json.loads, default={}, help="as JSON")
    parser.add_argument("--folder", type=Path, default=Path(".pose"), help="where states are kept, to go on from")
    parser.add_argument("--sheet", type=Path, default=Path("pose.png"))
    asked = parser.parse_args()
    torch.set_num_threads(1)
    outfits = read_sprites(asked.sprites, asked.smaller)
    pairs = list(pairs_of(outfits, asked.each, asked.seed))
    learned, held = ([pair for pair in pairs if pair.outfit.held_out is side] for side in (False, True))
    held = held[:: max(1, len(held) // 1000)]
    train, holdout = dataset(learned), dataset(held)
    assert holdout.source is not None
    source, maps = torch.split(holdout.source, 3, 1)
    print(f"{len(train):,} pairs to learn from, {len(held):,} held out, {asked.images:,} images seen")
    found = {"the source as it is": source, "the bare figure of the map": maps}
    for name, changes in (("its first stage alone", {"pretrain_images": NEVER}), ("`pg2`", {})):
        recipe = asked.recipe | changes
        folder = asked.folder / name.strip("`").replace(" ", "-")
        run = mintage.train(train, "pg2", asked.images, recipe, seed=asked.seed, device="cpu", folder=folder)
        found[name] = run.model.translate(holdout.source)
    print("| | L1 | PSNR | SSIM | outfit recognized |\n| --- | --- | --- | --- | --- |")
    for name, made in {**found, "the truth": holdout.image}.items():
        print(row(name, made, holdout.image, held, outfits))
    order = torch.randperm(len(held), generator=torch.Generator().manual_seed(asked.seed))
    shown = [one[order[:SHOWN]] for one in (*found.values(), holdout.image)]
    asked.sheet.write_bytes(png_of(shown, SHOWN, scale=2))


if __name__ == "__main__":
    run_stage(main)
