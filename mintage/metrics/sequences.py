"""How good and how varied sequences of words are: surprise by counts, BLEU, self-BLEU, copies.

Sequences are tokens `[N,T]`. If `end` is given, the number of the word that fills up shorter sequences, each sequence
is read up to its first `end`.
"""

from collections import Counter
from collections.abc import Mapping
from math import exp, log

from torch import Tensor

_LONGEST = 3
"""Words in the longest runs that are compared."""
_BEGIN = -1
Run = tuple[int, ...]


def bleu(sequences: Tensor, references: Tensor, end: int | None = None) -> float:
    """The mean BLEU-3 of sequences against all references, in [0,1] (Papineni et al. 2002).

    For one sequence it is the geometric mean, over runs of 1, 2 and 3 words, of the share of its runs that are also in
    a reference, each counted at most as often as in the reference that has it most. There is no brevity penalty. If no
    run of a length is found, half a run counts.
    """
    known = _most(references, end)
    return _mean([_score(runs, {run: known.get(run, (0, -1, 0))[0] for run in runs}) for runs in _runs(sequences, end)])


def self_bleu(sequences: Tensor, end: int | None = None) -> float:
    """The mean BLEU-3 of each sequence against all others (Zhu et al. 2018): 1 if all are equal."""
    known = _most(sequences, end)
    return _mean(
        [
            _score(runs, {run: known[run][2] if known[run][1] == row else known[run][0] for run in runs})
            for row, runs in enumerate(_runs(sequences, end))
        ]
    )


def counted_surprise(asked: Tensor, learned: Tensor, words: int, end: int | None = None) -> float:
    """The mean surprise, in nats, of each word of `asked`, by the counts of runs of up to three words in `learned`.

    With generated `learned` and a holdout `asked`, it is the logarithm of Zhao et al. 2018's reverse perplexity: it is
    high if generated sequences are bad, and if they repeat a few. A word's probability after two others is Witten and
    Bell's (1991), interpolated with that after one other, after none, and with 1 / `words`.
    """
    followers: dict[Run, Counter[int]] = {}
    for row in _rows(learned, end):
        for place, word in enumerate(row):
            for run in _before(row, place):
                followers.setdefault(run, Counter())[word] += 1
    known = {run: (found, found.total(), len(found)) for run, found in followers.items()}
    total = count = 0.0
    for row in _rows(asked, end):
        for place, word in enumerate(row):
            likely = 1 / words
            for run in _before(row, place):
                if run in known:
                    found, seen, kinds = known[run]
                    likely = (found[word] + kinds * likely) / (seen + kinds)
            total, count = total - log(likely), count + 1
    return total / count


def _before(row: list[int], place: int) -> list[Run]:
    """The runs of zero, one and two words before a place; before the first word stands `_BEGIN`."""
    begun = (_BEGIN, _BEGIN, *row[max(0, place - 2) : place])
    return [(), (begun[-1],), begun[-2:]]


def copies(sequences: Tensor, references: Tensor, end: int | None = None) -> float:
    """The share of sequences that are equal to a reference, word for word."""
    known = set(map(tuple, _rows(references, end)))
    return _mean([tuple(row) in known for row in _rows(sequences, end)])


def _rows(sequences: Tensor, end: int | None) -> list[list[int]]:
    """Sequences as lists, each up to and with its first `end`."""
    rows: list[list[int]] = sequences.tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def _runs(sequences: Tensor, end: int | None) -> list[Counter[Run]]:
    """For each sequence, how often it has each run."""
    return [
        Counter(
            tuple(row[start : start + size]) for size in range(1, _LONGEST + 1) for start in range(len(row) - size + 1)
        )
        for row in _rows(sequences, end)
    ]


def _most(sequences: Tensor, end: int | None) -> dict[Run, tuple[int, int, int]]:
    """By run: its highest count in a sequence, the number of that sequence, and the highest count in any other."""
    found: dict[Run, tuple[int, int, int]] = {}
    for row, runs in enumerate(_runs(sequences, end)):
        for run, count in runs.items():
            most, holder, second = found.get(run, (0, -1, 0))
            found[run] = (count, row, most) if count > most else (most, holder, max(second, count))
    return found


def _score(runs: Counter[Run], known: Mapping[Run, int]) -> float:
    logs = []
    for size in range(1, _LONGEST + 1):
        own = {run: count for run, count in runs.items() if len(run) == size}
        if own:  # a short sequence has no long runs
            matched = sum(min(count, known[run]) for run, count in own.items())
            logs.append(log((matched or 0.5) / sum(own.values())))
    return exp(sum(logs) / len(logs))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
