"""How often the chord that is heard in a bar is the one that its lead sheet writes: of MusicXML with chord symbols.

python -m benchmarks.chords FOLDER   # such as OpenEWLD's
"""

from collections import Counter
from pathlib import Path

from mintage.chords import chord_of
from stages.common.errors import run_stage
from stages.common.stage import parser_of
from stages.media.endings import SCORES
from stages.media.medium import UnusableError
from stages.media.scores import STEPS, Score, score_of

_MOST = 10**7


def compare(score: Score) -> Counter[str]:
    """Counts of bars with notes, of those with a written chord, and of how often that is the heard chord."""
    found = Counter[str]()
    for begin in score.bars:
        heard, written = chord_of(score.harmony[begin : begin + STEPS]), score.written[begin]
        if heard is None:
            continue
        found["bars with notes"] += 1
        if written is not None:
            found["of which one of the 24 is written"] += 1
            found["and that is heard"] += heard == written
            found["or another of its root"] += heard != written and heard.root == written.root
    return found


def main() -> None:
    parser = parser_of("benchmarks.chords", __doc__)
    parser.add_argument("folder", type=Path, help="of MusicXML")
    found = Counter[str]()
    for path in sorted(path for path in parser.parse_args().folder.rglob("*") if path.suffix in SCORES):
        try:
            score = score_of(path.read_bytes(), _MOST, "many")
        except UnusableError as error:
            print(f"{path}: {error}")
            continue
        found["scores with symbols, with bars in 4/4"] += bool(score.written)
        if score.written:
            found += compare(score)
    for name, count in found.items():
        print(f"{name}: {count:,}")


if __name__ == "__main__":
    run_stage(main)
