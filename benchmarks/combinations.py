"""Random rows of the cross product of all axes, until the time is up: `python -m benchmarks.combinations MINUTES`.

Each trains for two steps, or is refused by a rule; anything else is an error. The tests take rows that
hold every two and every three values together; here is any row of the whole product.
"""

import math
import random
import time
from collections import Counter

from benchmarks.options import positive
from stages.common.errors import run_stage
from stages.common.stage import parser_of
from tests.mintage.combinations import AXES, reasons, trains


def main() -> None:
    parser = parser_of("benchmarks.combinations", __doc__)
    parser.add_argument("minutes", nargs="?", type=positive, default=1.0, help="(default: %(default)s)")
    minutes = parser.parse_args().minutes
    chance, refused, trained = random.Random(0), Counter[str](), 0
    stop = time.monotonic() + 60 * minutes
    while time.monotonic() < stop:
        row = {axis: chance.choice(values) for axis, values in AXES.items()}
        if why := reasons(row):
            refused[why[0]] += 1
        else:
            trains(row)
            trained += 1
    print(
        f"of {math.prod(map(len, AXES.values())):,} combinations, {trained + refused.total():,} drawn: "
        f"{trained:,} trained"
    )
    for reason, count in refused.most_common():
        print(f"{count:9,} refused: {reason}")


if __name__ == "__main__":
    run_stage(main)
