"""How good and how varied sequences of words are: BLEU, self-BLEU, copies. All are of tokens `[N,T]`."""

from collections import Counter
from collections.abc import Mapping
from math import exp, log

from torch import Tensor

_LONGEST = 3
"""Words of the longest runs that are compared."""
Run = tuple[int, ...]


def bleu(sequences: Tensor, references: Tensor) -> float:
    """The mean BLEU-3 of sequences beside all references, in [0,1] (Papineni et al. 2002).

    Of one sequence it is the geometric mean, over runs of 1, 2 and 3 words, of the share of its runs that a reference
    has, each as often as in the one that has it most. All are of one length, so nothing is too short. Of a length of
    which no run is found half a run counts.
    """
    known = _most(references)
    return _mean([_score(runs, {run: known.get(run, (0, -1, 0))[0] for run in runs}) for runs in _runs(sequences)])


def self_bleu(sequences: Tensor) -> float:
    """The mean BLEU-3 of each sequence beside all others (Zhu et al. 2018): 1 where all are the same."""
    known = _most(sequences)
    return _mean(
        [
            _score(runs, {run: known[run][2] if known[run][1] == row else known[run][0] for run in runs})
            for row, runs in enumerate(_runs(sequences))
        ]
    )


def copies(sequences: Tensor, references: Tensor) -> float:
    """The share of the sequences that are a reference, word for word."""
    known = set(map(tuple, references.tolist()))
    return _mean([tuple(row) in known for row in sequences.tolist()])


def _runs(sequences: Tensor) -> list[Counter[Run]]:
    """How often each sequence has each run."""
    return [
        Counter(
            tuple(row[start : start + size]) for size in range(1, _LONGEST + 1) for start in range(len(row) - size + 1)
        )
        for row in sequences.tolist()
    ]


def _most(sequences: Tensor) -> dict[Run, tuple[int, int, int]]:
    """Of each run: how often the sequence has it that has it most, which that is, and how often any other has it."""
    found: dict[Run, tuple[int, int, int]] = {}
    for row, runs in enumerate(_runs(sequences)):
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
