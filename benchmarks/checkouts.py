"""Training by this checkout and by another one, such as a `git worktree` of an earlier commit, in turns.

    python -m benchmarks.checkouts ../earlier --families sngan biggan --rounds 5
    python -m benchmarks.checkouts . --precision bfloat16 --others float32    # one checkout in two precisions

Each figure is a process of its own that trains the family's row as this checkout has it, by the packages that are
installed here. What counts is CPU time, which other programs disturb least.
"""

import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from benchmarks.options import natural
from mintage.families import recipe_of
from mintage.recipes import condition_of
from stages.common.errors import run_stage
from stages.common.stage import parser_of

SHORT, LONG = 100, 200
"""Batches: the difference of both has neither imports nor rows of figures, of which each run writes 100."""
PROGRAM = """
import json, sys, time, torch, mintage
family, recipe, labeled, side, counts, precision = json.loads(sys.argv[1])
random = torch.Generator().manual_seed(0)
images = torch.rand(1000, 3, side, side, generator=random) * 2 - 1
labels = torch.arange(1000) % 10 if labeled else None
data, seconds = mintage.Dataset(images, labels), []
for count in counts:
    start = time.process_time()
    mintage.train(data, family, count, recipe, device="cpu", precision=precision, progress=False)
    seconds.append(time.process_time() - start)
print((counts[1] - counts[0]) / (seconds[1] - seconds[0]))
"""


def images_per_second(checkout: Path, family: str, side: int, precision: str) -> float:
    """Images a second of CPU time, on random images `[N,3,side,side]`, in one thread."""
    row = recipe_of(family, {})
    recipe = {"width": row.width, "batch_size": row.batch_size}
    asked = [
        family,
        recipe,
        condition_of(row) == "label",
        side,
        [count * row.batch_size for count in (SHORT, LONG)],
        precision,
    ]
    command = [sys.executable, "-c", PROGRAM, json.dumps(asked)]
    return float(subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = parser_of("benchmarks.checkouts", __doc__)
    parser.add_argument("other", type=Path, metavar="CHECKOUT")
    parser.add_argument("--families", nargs="+", default=["sngan", "sngan_projection", "biggan", "modern"])
    parser.add_argument("--side", type=natural, default=32, help="pixels")
    parser.add_argument("--rounds", type=natural, default=3)
    parser.add_argument("--precision", default="auto", help="auto, float32 or bfloat16")
    parser.add_argument("--others", metavar="PRECISION", help="of the other checkout; the same unless you say")
    asked = parser.parse_args()
    sides = [(asked.other, asked.others or asked.precision), (Path.cwd(), asked.precision)]
    print("images a CPU second    the other       here    ratio (least to most)")
    for family in asked.families:
        pairs = [
            [images_per_second(place, family, asked.side, precision) for place, precision in sides]
            for _ in range(asked.rounds)
        ]
        other, here = (median(figures) for figures in zip(*pairs, strict=True))
        ratios = sorted(new / old for old, new in pairs)
        print(f"{family:22} {other:9,.0f} {here:10,.0f}    {median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")


if __name__ == "__main__":
    run_stage(main)
