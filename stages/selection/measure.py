"""The figures of checkpoints and of real images; nothing is measured twice."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from math import isfinite
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mintage.checkpoint import weights_of
from mintage.players import Generator, build_generator
from mintage.sampling import CHUNK
from mintage.sources import untouched
from stages.common.checkpoint import read_checkpoint
from stages.common.errors import UserError, one_line
from stages.common.made_again import made_again
from stages.common.reading import Chosen
from stages.selection.cache import Cache, code_digest, key_of
from stages.selection.extraction import Extraction, Judge, Target, quantize
from stages.selection.figures import MEASUREMENTS, OF_ENCODERS, OF_HOLDOUT, Figures, Measurement, Measurements
from stages.selection.intervals import INTERVALS
from stages.selection.reference import Reference

_AVERAGE = "engine.average.generator."
_DIGITS = 6


@dataclass(frozen=True)
class Measured:
    """The figures of a set of images."""

    figures: Figures
    absent: dict[str, str]
    """The reasons why metrics could not be computed, by metric."""


def floors(real: Reference) -> Measured:
    """The floors: what training images reach, measured as generated ones are, or held-out images for `OF_HOLDOUT`.

    With the intervals in which some of them vary by chance (`stages.selection.intervals`).
    """
    own: Measurements = {function: metrics for function, metrics in MEASUREMENTS.items() if function in OF_HOLDOUT}
    of_holdout = measured(lambda: real.holdout, real, real.known, f"holdout-{real.key}", own)
    others: Measurements = {function: metrics for function, metrics in MEASUREMENTS.items() if function not in own}
    of_train = measured(lambda: real.train_sample, real, real.known, f"floors-{real.key}", others | INTERVALS)
    found = [of_train, of_holdout]
    if real.encodes:
        found.append(in_place(real.held_out, real, real.known, f"themselves-{real.key}"))
    return joined(found)


def measure(
    load: Callable[[], Generator], real: Reference, known: Cache, progress: Callable[[int], object]
) -> Measured:
    """The figures of a generator; `progress` is called with the number of images in each batch.

    `load` is called only if something is not in the cache. Raises ValueError if generated values are not finite.
    """
    key = key_of(real.key, code_digest(Judge, load_generator))

    @cache
    def load_or_generate() -> Extraction:
        return Extraction(**known.tensors(f"drawn-{key}", lambda: generated(load(), real, progress).tensors()))

    found = measured(load_or_generate, real, known, f"figures-{key}")
    return joined([found, reconstructed(load, real, known)]) if real.encodes else found


def reconstructed(load: Callable[[], Generator], real: Reference, known: Cache) -> Measured:
    """The figures of held-out images that are reconstructed by the generator and its own encoder."""

    def again() -> Iterator[Tensor]:
        generator = load()
        made = (made_again(generator, real.holdout_split, rows) for rows in torch.split(real.encoded, CHUNK))
        return as_written(made, real)

    key = key_of(real.key, code_digest(Judge, load_generator, made_again, as_written))
    return in_place(again, real, known, f"again-{key}")


def in_place(images: Callable[[], Iterable[Tensor]], real: Reference, known: Cache, key: str) -> Measured:
    """The figures of images, a chunk at a time, as reconstructions of the held-out images in `Reference.encoded`."""
    return measured(
        lambda: real.judge.extract(images(), None, map(Target, real.held_out())), real, known, key, OF_ENCODERS
    )


def as_written(images: Iterable[Tensor], real: Reference) -> Iterator[Tensor]:
    """The images as they are in files."""
    return (real.medium.as_written(quantize(some, bits_kept=real.medium.exact)) for some in images)


def generated(
    generator: Generator, real: Reference, progress: Callable[[int], object] = lambda images: None
) -> Extraction:
    """The extraction of `real.samples` images of a generator, or of its direction that the reference is of."""

    def with_progress() -> Any:
        for images in real.judge.generated(real.towards(generator), real.samples, real.seed, real.requested):
            yield images
            progress(len(images))

    labels = real.requested_labels if real.partner is None else real.labels_of_partners(generator)
    asked = (labels, real.targets(), real.requested_attributes)
    return real.judge.extract(with_progress(), *asked, back=real.back_from(generator))


def baseline(real: Reference) -> Measured | None:
    """What untranslated sources reach: a translator that is no better does nothing. None without a translator."""
    sources = real.requested
    if not isinstance(sources, Chosen):
        return None
    back = None if real.to is None else lambda images: images

    def extract_sources() -> Extraction:
        shape = real.holdout_split.shape
        chunks = (untouched(sources[rows], shape) for rows in torch.split(torch.arange(len(sources)), CHUNK))
        return real.judge.extract(chunks, real.requested_labels, real.targets(), back=back)

    return measured(cache(extract_sources), real, real.known, f"baseline-{key_of(real.key, code_digest(untouched))}")


def first_stage(generator: Generator, real: Reference) -> Measured | None:
    """What the first of two stages reaches alone, enlarged: a second no better does nothing. None for one stage."""
    if generator.config.first is None or generator.first is None:
        return None
    key = key_of(real.key, sha256(weights_of(generator.first)).hexdigest(), code_digest(Judge, load_generator))
    return measured(cache(lambda: generated(generator.drafting, real)), real, real.known, f"first-{key}")


def measured(
    extract: Callable[[], Extraction],
    real: Reference,
    known: Cache,
    key: str,
    measurements: Measurements = MEASUREMENTS,
) -> Measured:
    """The figures of a set of images; those under this key in the cache are not computed again."""
    before = known.facts(key)
    now = {}
    for function, columns in measurements.items():
        name = f"{function.__name__}-{code_digest(function)}"
        now[name] = before[name] if name in before else _one(function, columns, extract, real)
    if now != before:
        known.keep(key, now)
    return joined([Measured(**part) for part in now.values()])


def joined(parts: Sequence[Measured]) -> Measured:
    """The figures of the same images from several parts."""
    return Measured(
        {name: value for part in parts for name, value in part.figures.items()},
        {name: why for part in parts for name, why in part.absent.items()},
    )


def _one(
    function: Measurement, metrics: tuple[str, ...], extract: Callable[[], Extraction], real: Reference
) -> dict[str, Any]:
    """A measurement's figures, or the reason why there are none, as JSON can hold it."""
    looked_at = extract()
    try:
        figures = {name: _rounded(value) for name, value in function(looked_at, real).items()}
    except ValueError as error:
        return {"figures": {}, "absent": dict.fromkeys(metrics, str(error))}
    if not all(isfinite(figures[name]) for name in metrics if name in figures):
        return {"figures": {}, "absent": dict.fromkeys(metrics, "it is not finite")}
    missing = [name for name in metrics if name not in figures]
    return {"figures": figures, "absent": dict.fromkeys(missing, "it is of other data")}


def load_generator(path: Path, device: torch.device) -> tuple[Generator, int]:
    """The averaged generator of a training checkpoint, and the images it has seen.

    Raises UserError if the file is damaged, or holds no generator that fits its config.
    """
    tensors, facts = read_checkpoint(path)
    weights = {name.removeprefix(_AVERAGE): t for name, t in tensors.items() if name.startswith(_AVERAGE)}
    if not weights:
        raise UserError(
            "checkpoint-unusable",
            f"{path} holds no averaged generator (EMA), which is what is measured: run `dvc repro train`",
        )
    try:
        return build_generator(facts["config"], weights).to(device), facts["images_seen"]
    except (RuntimeError, KeyError, TypeError, ValueError) as error:
        raise UserError(
            "checkpoint-unusable",
            f"{path} holds no generator that fits its config ({one_line(error, 200)}): run `dvc repro train`",
        ) from None


def _rounded(value: Any) -> Any:
    """Round to as many digits as could mean something; the choice is then made on the numbers in the table."""
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value
