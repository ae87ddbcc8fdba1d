"""Sequences of words as samples, so that code for games, storage and metrics need not know of words.

Word k of V is the number 2 k / (V - 1) - 1, and a sequence of T words a sample `[1,1,T]` in [-1,1]. The numbers only
name words: their distances mean nothing.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mintage.dataset import Dataset

END = "<end>"
"""This word ends a sequence that is shorter than the others, and fills up its rest."""


def sequences(tokens: Any, vocabulary: Sequence[str]) -> Dataset:
    """Sequences of one length, to learn from or to measure against.

    Args:
        tokens: `[N,T]`, whole numbers from 0: which word of the vocabulary stands where.
        vocabulary: The words, two or more.

    Raises:
        ValueError: Sequences have different lengths, or a number is of no word.

    Example:
        >>> import mintage
        >>> from mintage.tokens import sequences
        >>> data = sequences([[0, 1, 2, 1], [2, 2, 0, 1]], ["a", "rose", "is"])
        >>> data.vocabulary, len(data)
        (('a', 'rose', 'is'), 2)
    """
    if isinstance(tokens, list | tuple) and any(
        isinstance(word, str) for row in tokens if isinstance(row, list | tuple | str) for word in row
    ):
        raise ValueError("tokens are words: give the number of each in the vocabulary, from 0")
    try:
        found = torch.as_tensor(tokens)
    except ValueError:
        raise ValueError("sequences are of unlike length: cut them, or fill them up with a word of its own") from None
    if found.ndim != 2 or not found.numel() or found.is_floating_point() or found.is_complex():
        raise ValueError(f"tokens are {list(found.shape)} of {found.dtype}: give [N,T], whole numbers from 0")
    if len(vocabulary) < 2 or len(set(vocabulary)) < len(vocabulary):
        raise ValueError(f"the vocabulary has {len(set(vocabulary))} words in {len(vocabulary)} places: name 2 or more")
    lowest, highest = int(found.min()), int(found.max())
    if lowest < 0 or highest >= len(vocabulary):
        raise ValueError(f"tokens go from {lowest} to {highest}, and the vocabulary has {len(vocabulary)} words")
    data = Dataset(image=as_samples(found.long(), len(vocabulary)))
    data.vocabulary = tuple(vocabulary)
    return data


def end_of(vocabulary: Sequence[str]) -> int | None:
    """The number of the word `END`; None if the vocabulary does not have it."""
    return list(vocabulary).index(END) if END in vocabulary else None


def texts(tokens: Tensor, vocabulary: Sequence[str], between: str = " ") -> list[str]:
    """Sequences `[N,T]` as text, each up to its end, with `between` between words; for characters give "".

    Example:
        >>> import torch
        >>> from mintage.tokens import texts
        >>> texts(torch.tensor([[1, 2, 0, 0], [2, 2, 1, 2]]), ["<end>", "a", "rose"])
        ['a rose', 'rose rose a rose']
    """
    end = end_of(vocabulary)
    rows: list[list[int]] = tokens.tolist()
    return [between.join(vocabulary[word] for word in (row[: row.index(end)] if end in row else row)) for row in rows]


def as_samples(tokens: Tensor, words: int) -> Tensor:
    """Tokens `[N,T]` of a vocabulary of `words` words as samples `[N,1,1,T]`."""
    return (tokens.float() * (2 / (words - 1)) - 1).clamp(-1, 1)[:, None, None]


def as_tokens(samples: Tensor, words: int) -> Tensor:
    """The inverse of `as_samples`: samples `[N,C,H,W]` as tokens `[N, C H W]`, int64."""
    return ((samples.flatten(1).double() + 1) * ((words - 1) / 2)).round().long()
