"""A few samples to listen to, beside those of the holdout: WAV files with pictures, and a list for pages."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from mintage.players import Generator
from mintage.sampling import asked_rows, samples
from mintage.sources import visible
from stages.common.files import write_json
from stages.common.levels import FloatImages
from stages.common.marks import Mark, with_mark
from stages.common.pictures import TRANSLATED, encode_png
from stages.common.reading import Sources, as_given
from stages.common.split import Split
from stages.media.medium import Medium

_ROWS = 6
_MOST_BYTES = 3_000_000
"""Most bytes of all sounds, since a page contains them."""
_MADE = 1
"""The column of generated samples."""


class Row(NamedTuple):
    title: str
    samples: list[FloatImages]
    """Samples `[C,*S]` in [-1,1], one for each column."""


class Heard(NamedTuple):
    columns: list[str]
    rows: list[Row]


def heard_beside(generator: Generator, seed: int, labels: list[int] | None, holdout: Split) -> Heard:
    """For each class, or without classes: a sample of the holdout, by the seed, beside the first generated one."""
    order = asked_rows(len(holdout), len(holdout), seed).numpy()
    if labels is None or holdout.labels is None:
        names, numbers = [], order[:_ROWS]
    else:
        labels = [label for label in labels if (holdout.labels == label).any()][:_ROWS]
        names = [(generator.config.classes or ())[label] for label in labels]
        numbers = np.array([next(row for row in order if holdout.labels[row] == label) for label in labels])
    made = torch.cat([images for images, _ in samples(generator, len(numbers), seed, labels)]).numpy()
    titles = names or [f"number {number + 1}" for number in range(len(made))]
    pairs = zip(titles, holdout.take(numbers), made, strict=True)
    return Heard(["held out", "generated"], [Row(title, [real, one]) for title, real, one in pairs])


def heard_translations(generator: Generator, seed: int, holdout: Split) -> Heard:
    """The holdout's sources at the beginning of the sheet of samples, with their translations and truths."""
    numbers = asked_rows(len(holdout), min(_ROWS, len(holdout)), seed)
    targets, keys = holdout.take(numbers.numpy()), holdout.keys
    rows = []
    for made, given in samples(generator, len(numbers), seed, Sources(as_given(generator.config, holdout), numbers)):
        assert given is not None
        rows += list(zip(visible(generator.config.bare(given), holdout.shape).numpy(), made.numpy(), strict=True))
    named = zip((keys[number] for number in numbers.tolist()), rows, targets, strict=True)
    return Heard(TRANSLATED[:3], [Row(key, [*both, target]) for key, both, target in named])


def write_heard(folder: Path, medium: Medium, heard: Heard, mark: Mark) -> None:
    """Write as many rows as a page can have; generated sounds are marked."""
    rows, size = [], 0
    for number, row in enumerate(heard.rows):
        sounds = [medium.play(sample) for sample in row.samples]
        size += sum(map(len, sounds))
        if size > _MOST_BYTES:
            break
        files = [f"{number}-{column}" for column in range(len(sounds))]
        for column, (sound, sample) in enumerate(zip(sounds, row.samples, strict=True)):
            for suffix, content in (("wav", sound), ("png", encode_png(medium.pixels(sample[None])[0]))):
                marked = with_mark(content, mark) if column == _MADE else content
                (folder / f"{files[column]}.{suffix}").write_bytes(marked)
        rows.append({"title": row.title, "files": files})
    # DVC needs the folder, and warns of an empty one.
    none = {} if medium.plays else {"reason": f"{medium.words.many} make no sound: there is nothing to hear"}
    write_json(folder / "heard.json", {"columns": heard.columns if rows else [], "rows": rows, **none})
