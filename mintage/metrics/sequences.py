"""How good and how varied sequences of words are: surprise by counts, BLEU, self-BLEU, copies.

All are of tokens `[N,T]`. Where `end` is the number of a word that fills up shorter sequences, each is read up to the
first of these alone.
"""

from collections import Counter
from collections.abc import Mapping
from math import exp, log

from torch import Tensor

_LONGEST = 3
"""Words of the longest runs that are compared."""
_BEGIN = -1
Run = tuple[int, ...]


def bleu(sequences: Tensor, references: Tensor, end: int | None = None) -> float:
    """The mean BLEU-3 of sequences beside all references, in [0,1] (Papineni et al. 2002).

    Of one sequence it is the geometric mean, over runs of 1, 2 and 3 words, of the share of its runs that a reference
    has, each as often as in the one that has it most; nothing is too short. Of a length of which no run is found half a
    run counts.
    """
    known = _most(references, end)
    return _mean([_score(runs, {run: known.get(run, (0, -1, 0))[0] for run in runs}) for runs in _runs(sequences, end)])


def self_bleu(sequences: Tensor, end: int | None = None) -> float:
    """The mean BLEU-3 of each sequence beside all others (Zhu et al. 2018): 1 where all are the same."""
    known = _most(sequences, end)
    return _mean(
        [
            _score(runs, {run: known[run][2] if known[run][1] == row else known[run][0] for run in runs})
            for row, runs in enumerate(_runs(sequences, end))
        ]
    )


def counted_surprise(asked: Tensor, learned: Tensor, words: int, end: int | None = None) -> float:
    """How surprising each word of sequences is to counts of runs of up to three words in others: a mean, in nats.

    The reverse perplexity of Zhao et al. 2018 (its logarithm) where `learned` are generated and `asked` are held out:
    what is not like language teaches nothing of it, and what is written over and over nothing of the rest. A word's
    probability behind two others is Witten and Bell's (1991), interpolated with that behind one, behind none, and with
    1 / `words`.
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
    """Of a word what stands before it: nothing, one word, two; before the first stands a word that is none."""
    begun = (_BEGIN, _BEGIN, *row[max(0, place - 2) : place])
    return [(), (begun[-1],), begun[-2:]]


def copies(sequences: Tensor, references: Tensor, end: int | None = None) -> float:
    """The share of the sequences that are a reference, word for word."""
    known = set(map(tuple, _rows(references, end)))
    return _mean([tuple(row) in known for row in _rows(sequences, end)])


def _rows(sequences: Tensor, end: int | None) -> list[list[int]]:
    """Each up to the first word that ends it, and with that."""
    rows: list[list[int]] = sequences.tolist()
    return [row[: row.index(end) + 1] if end in row else row for row in rows]


def _runs(sequences: Tensor, end: int | None) -> list[Counter[Run]]:
    """How often each sequence has each run."""
    return [
        Counter(
            tuple(row[start : start + size]) for size in range(1, _LONGEST + 1) for start in range(len(row) - size + 1)
        )
        for row in _rows(sequences, end)
    ]


def _most(sequences: Tensor, end: int | None) -> dict[Run, tuple[int, int, int]]:
    """Of each run: how often the sequence has it that has it most, which that is, and how often any other has it."""
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
        if own:  # a sequence may be shorter
            matched = sum(min(count, known[run]) for run, count in own.items())
            logs.append(log((matched or 0.5) / sum(own.values())))
    return exp(sum(logs) / len(logs))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
