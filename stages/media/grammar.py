"""A small grammar of English: sentences drawn by a seed, and whether words are one of its sentences.

The verb must agree with its subject, even after a relative clause: "the dogs that see a cat sleep". A generator that
knows only which words are neighbors fails at this. The language is regular, so that membership is exact.
"""

import re
from collections.abc import Sequence

import numpy as np

_SUBJECTS = (
    "bird", "boy", "cat", "child", "cook", "dog", "farmer", "girl", "king", "nurse", "poet", "robot", "sailor",
    "stranger", "teacher", "thief",
)  # fmt: skip
_ACTS = ("believe", "find", "follow", "forget", "hear", "help", "miss", "paint", "remember", "see")
_STATES = ("dance", "laugh", "run", "sing", "sleep", "smile", "swim", "wait")
_PLURALS = {"child": "children", "thief": "thieves"}
LEXICON: dict[str, tuple[str, ...]] = {
    "a": ("a", "every"),
    "s": ("many", "some"),
    "t": ("the",),
    "J": (
        "brave", "clever", "cold", "gentle", "happy", "lazy", "lonely", "poor", "proud", "quiet", "small", "strange",
        "tall", "young",
    ),
    "n": _SUBJECTS,
    "N": tuple(_PLURALS.get(noun, f"{noun}s") for noun in _SUBJECTS),
    "v": tuple("misses" if act == "miss" else f"{act}s" for act in _ACTS),
    "V": _ACTS,
    "w": tuple(f"{state}s" for state in _STATES),
    "W": _STATES,
    "R": ("that",),
    "B": ("again", "alone", "often", "quietly", "slowly", "today"),
}  # fmt: skip
"""Words by their kind: small letters are singular, capitals plural, the last two either."""
LONGEST = 13
"""Most words of a sentence."""
_KIND = {word: kind for kind, words in LEXICON.items() for word in words}
_OBJECT = "(?:[at]J?n|[st]J?N)"
_SENTENCE = re.compile(
    f"(?:[at]J?n(?:R(?:v{_OBJECT}|w))?(?:v{_OBJECT}|w)|[st]J?N(?:R(?:V{_OBJECT}|W))?(?:V{_OBJECT}|W))B?"
)


def is_sentence(words: Sequence[str]) -> bool:
    """Whether the grammar can make these words, in this order."""
    return _SENTENCE.fullmatch("".join(_KIND.get(word, "?") for word in words)) is not None


def draw_sentence(random: np.random.Generator) -> list[str]:
    """A random sentence of at most `LONGEST` words."""
    many = bool(random.integers(2))
    kinds = _noun(random, many)
    if random.random() < 0.4:
        kinds += ["R", *_verb(random, many)]
    kinds += _verb(random, many)
    if random.random() < 0.3:
        kinds.append("B")
    return [LEXICON[kind][random.integers(len(LEXICON[kind]))] for kind in kinds]


def _noun(random: np.random.Generator, many: bool) -> list[str]:
    article = "t" if random.random() < 0.5 else "s" if many else "a"
    return [article, *(["J"] if random.random() < 0.6 else []), "N" if many else "n"]


def _verb(random: np.random.Generator, many: bool) -> list[str]:
    """A verb, with an object or without one."""
    if random.random() < 0.25:
        return ["W" if many else "w"]
    return ["V" if many else "v", *_noun(random, bool(random.integers(2)))]
