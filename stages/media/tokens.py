"""Lines of words, or of characters: each word is a number in a vocabulary, which is stored with the data.

A sample `[1,1,T]` has the words' numbers in [-1,1] (`mintage.tokens`). A line shorter than T is filled up with `<end>`;
nothing after the first of these is read.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from mintage.metrics import Metric
from stages.media.medium import Decoded, Expectation, Medium, Passage, Plots, Shape, Trait, UnusableError, Words

if TYPE_CHECKING:
    from torch import Tensor

    from stages.common.levels import FloatImages
    from stages.common.params import Normalize

Unit = Literal["words", "characters"]
END, UNKNOWN, UNKNOWN_CHARACTER = "<end>", "<unknown>", "\N{REPLACEMENT CHARACTER}"
_NAMED = re.compile(r"<[^<>\s]+>")
"""Placeholders such as <unknown> or <number>, which are never split."""
_METRICS = {
    "counted_surprise": Metric(
        "surprise by counts",
        "counted_surprise_floor",
        "min",
        "How surprising each held-out word is, in nats, to counts of runs of up to three words in generated lines: "
        "what is unlike the language teaches nothing of it, and few lines over and over nothing of the rest.",
        "Zhao et al. 2018",
        needs="words",
    ),
    "bleu": Metric(
        "BLEU-3",
        "bleu_floor",
        "max",
        "The share of runs of up to three words in a generated line that held-out lines have, too.",
        "Papineni et al. 2002",
        "share",
        needs="words",
        guard_only="one real line over and over scores as well as all of them",
    ),
    "self_bleu": Metric(
        "self-BLEU",
        "self_bleu_floor",
        "min",
        "The share of runs of up to three words in a generated line that other generated ones have, too: far above the "
        "floor is collapse.",
        "Zhu et al. 2018",
        "share",
        needs="words",
        guard_only="words at random score better than real lines",
    ),
    "grammatical": Metric(
        "grammatical lines",
        "grammatical_floor",
        "max",
        "The share of generated lines that are sentences of the grammar that the data are drawn from.",
        "membership in a regular language",
        "share",
        needs="grammar",
        guard_only="one sentence over and over scores as well as all of them",
    ),
}
_PLOTS = Plots(
    Passage(
        "Generated lines",
        "Each line is of other draws. Look for lines that could stand in the data, and that differ from each other.",
        "Generated lines",
    ),
    Passage(
        "Real beside generated",
        "Lines that were held out of training, and below them generated ones: nobody should be able to say which is "
        "which.",
        "Held-out lines, and generated ones below them",
    ),
    "The same draws each time, in the course of the training.",
)


@dataclass(frozen=True)
class Tokens(Medium):
    """Lines of `length` words from a `vocabulary`, whose first word is `<end>` and whose second is the unknown word."""

    name = "tokens"
    words = Words("line", "a line", "lines", "word", "one word over and over")
    drawings = "stages.media.tokens_lines:Lines"
    exact = True
    is_text = True
    expectations = (
        Expectation(
            "unknown", "lines have more than one unknown word in four", high=0.25, share=0.1,
            advice="raise ingest.options.vocabulary",
        ),
        Expectation(
            "filled_up", "lines take up less than a fifth of their places", high=0.8, share=0.5,
            advice="lower ingest.options.length",
        ),
    )  # fmt: skip
    lacks: ClassVar[Mapping[Trait, str]] = {
        "picture files": "lines are text",
        "looks": "lines are compared word by word, not by their looks",
        "brightness": "words are numbers of a vocabulary, of which none is more than another",
        "spectrum": "lines have no spectrum",
        "truncation": "each word is drawn by a number of its own on [-1,1], which has no tails to cut",
        "latent pictures": "each number of a latent draws one word, so that only the walks are shown",
    }
    offers: ClassVar[Mapping[str, str]] = {"words": "lines of text", "grammar": "lines of a known grammar"}
    metrics = _METRICS
    task = "text-generation"
    unconditional_family = "lstm"  # the best in docs/sequences.md

    vocabulary: list[str]
    length: int
    unit: Unit = "words"
    grammar: bool = False
    """Whether lines are sentences of `stages.media.grammar`."""

    @property
    def has(self) -> frozenset[str]:
        return frozenset({"words", "grammar"} if self.grammar else {"words"})

    @property
    def judged_by(self) -> Mapping[str, float]:
        """Metrics, with the values of a model for which all words are equally likely."""
        return {"counted_surprise": log(len(self.vocabulary))} | ({"grammatical": 0.0} if self.grammar else {})

    @property
    def alphabet(self) -> tuple[str, ...]:
        return tuple(self.vocabulary)

    @property
    def between(self) -> str:
        return between(self.unit)

    @property
    def shape(self) -> Shape:
        return (1, 1, self.length)

    @property
    def shown_as(self) -> None:
        return None

    @property
    def plots(self) -> Plots:
        return _PLOTS

    def describe(self, shape: Shape) -> str:
        """Such as "16-word"."""
        return f"{shape[2]}-{'word' if self.unit == 'words' else 'character'}"

    def decode(self, content: bytes, to: "Normalize", most: int) -> Decoded:
        """A sample from a text in UTF-8. Words that are not in the vocabulary become the unknown word."""
        import numpy as np

        try:
            words = units_of(content.decode("utf-8"), self.unit)
        except UnicodeDecodeError:
            raise UnusableError("it is not in UTF-8") from None
        if not words:
            raise UnusableError("it has no word")
        if len(words) > self.length:
            raise UnusableError(f"it has {len(words)} {self.unit}, more than ingest.options.length ({self.length})")
        numbers = [self._numbers.get(word, 1) for word in words]
        tokens = np.array(numbers + [0] * (self.length - len(numbers)))
        values = (tokens * (2 / (len(self.vocabulary) - 1)) - 1).clip(-1, 1).astype(np.float32)
        return Decoded(values[None, None], "text", (1, 1, len(words)))

    def encode(self, sample: "FloatImages") -> tuple[bytes, str]:
        """The text in UTF-8, up to the end of the line."""
        return self.between.join(self.vocabulary[number] for number in self.numbers_in(sample)).encode(), "txt"

    def numbers_in(self, sample: "FloatImages") -> list[int]:
        """The words' numbers up to the end of the line, without `<end>`."""
        import numpy as np

        scaled = (sample.reshape(-1).astype(np.float64) + 1) * ((len(self.vocabulary) - 1) / 2)
        numbers: list[int] = np.rint(scaled).astype(np.int64).tolist()
        return numbers[: numbers.index(0)] if 0 in numbers else numbers

    def to_show(self) -> dict[str, Any]:
        return {**self.to_json(), "between": self.between}

    def figures(self, samples: "FloatImages") -> dict[str, list[float]]:
        lines = [self.numbers_in(sample) for sample in samples]
        return {
            "unknown": [line.count(1) / max(1, len(line)) for line in lines],
            "filled_up": [1 - len(line) / self.length for line in lines],
        }

    def measure(self, samples: "Tensor", held_out: "Tensor") -> dict[str, float]:
        """Metrics of the words against those of the holdout, and by the grammar if there is one."""
        from mintage.metrics.sequences import bleu, counted_surprise, self_bleu
        from mintage.tokens import as_tokens

        count = len(self.vocabulary)
        made, held = (as_tokens(some, count) for some in (samples, held_out))
        found = {
            "counted_surprise": counted_surprise(held, made, count, end=0),
            "bleu": bleu(made, held, end=0),
            "self_bleu": self_bleu(made, end=0),
        }
        return found | ({"grammatical": self._grammatical(samples)} if self.grammar else {})

    def _grammatical(self, samples: "Tensor") -> float:
        from stages.media.grammar import is_sentence

        lines = ([self.vocabulary[number] for number in self.numbers_in(one)] for one in samples.numpy())
        return sum(map(is_sentence, lines)) / len(samples)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Numbers by word; a word of the data that is spelled like `<end>` is unknown, and does not end a line."""
        return {word: number for number, word in enumerate(self.vocabulary) if number}


def unknown_of(unit: Unit) -> str:
    return UNKNOWN if unit == "words" else UNKNOWN_CHARACTER


def units_of(line: str, unit: Unit) -> list[str]:
    """The words or the characters of a line, in Unicode's form NFC, without spaces around it.

    Spaces separate words; punctuation marks before and after a word are separate words.
    """
    composed = unicodedata.normalize("NFC", line)
    if unit == "characters":
        return list(" ".join(composed.split()))
    return [part for piece in composed.split() for part in _parts(piece)]


def between(unit: Unit) -> str:
    """The text between two units, from which `units_of` reads the same units: marks stay separate."""
    return " " if unit == "words" else ""


def _parts(piece: str) -> Iterator[str]:
    """The marks before a word, the word, and the marks after it."""
    if _NAMED.fullmatch(piece):
        yield piece
        return
    first, last = 0, len(piece)
    while first < last and _is_mark(piece[first]):
        first += 1
    while last > first and _is_mark(piece[last - 1]):
        last -= 1
    yield from piece[:first]
    if first < last:
        yield piece[first:last]
    yield from piece[last:]


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] in "PS"
