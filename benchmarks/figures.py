"""Figures as files, for a release to translate and a next one to learn from: `python -m benchmarks.figures FOLDER`.

Writes FOLDER/truth, FOLDER/source and FOLDER/map, each with train and test, which have no figure in common. They are
those of source `figures`; by another seed, others than a first release has seen.
"""

from pathlib import Path

from benchmarks.options import natural
from stages.common.errors import run_stage
from stages.common.stage import parser_of
from stages.sources.figures import draw_figure

HELD_OUT = 5
"""One of this many figures is in the holdout."""


def main() -> None:
    parser = parser_of("benchmarks.figures", __doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--figures", type=natural, default=1000)
    parser.add_argument("--each", type=natural, default=4, help="pairs of a figure")
    parser.add_argument("--side", type=natural, default=64, help="pixels")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    for figure in range(asked.figures):
        clothes, side = (asked.seed, figure), "train" if figure % HELD_OUT else "test"
        for number in range(asked.each):
            before, after = ((asked.seed, figure, 2 * number + one) for one in (1, 2))
            drawn = {"truth": (after, clothes), "source": (before, clothes), "map": (after, None)}
            for kind, (pose, worn) in drawn.items():
                path = asked.folder / kind / side / f"{figure:06d}-{number:03d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(draw_figure(asked.side, pose, worn))


if __name__ == "__main__":
    run_stage(main)
