"""Sentences drawn by a seed from a small grammar, so that whether a line is one is known; without a download."""

from collections.abc import Iterator
from typing import Annotated

import numpy as np
from pydantic import Field

from stages.common.params import Ingest
from stages.common.sections import Section, Seed
from stages.media.grammar import LEXICON, LONGEST, draw_sentence
from stages.media.tokens import END, UNKNOWN, Tokens
from stages.sources import RawImage, Source, drawn_source

READS_PATH = False
_WORDS = sorted(word for words in LEXICON.values() for word in words)
MEDIUM = Tokens([END, UNKNOWN, *_WORDS], LONGEST + 1, grammar=True)
"""Samples have one place more than the longest sentence has words, so that each sentence has an end."""


class Options(Section):
    sentences: Annotated[int, Field(ge=1, le=10_000_000)] = Field(10_000, description="how many to draw, none twice")
    seed: Seed = Field(0, description="which sentences")


def read(_: Ingest, options: Options) -> Source:
    """The sentences, without classes and without a test set."""
    return drawn_source("sentences", options.seed, None, _sentences(options), medium=MEDIUM, count=options.sentences)


def _sentences(options: Options) -> Iterator[RawImage]:
    """Distinct sentences drawn by the seed. Memory: the sentences."""
    random, drawn = np.random.default_rng(options.seed), set[str]()
    while len(drawn) < options.sentences:
        sentence = " ".join(draw_sentence(random))
        if sentence not in drawn:
            key = f"sentence-{len(drawn):07d}"
            drawn.add(sentence)
            yield RawImage(key, f"{key}.txt", sentence.encode(), None, None)
