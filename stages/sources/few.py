"""Too few images for the gate, as far as a source's names show."""

from collections.abc import Iterator

from stages.common.data_facts import MIN_HOLDOUT
from stages.common.errors import counted
from stages.common.params import Normalize, Params
from stages.sources import Source


def too_few(params: Params, source: Source) -> Iterator[str]:
    """Sentences on fewer images, in all or of a class, than the gate lets pass, even if none is held out."""
    least, path, many = params.validate_.min_images, f"ingest.path = {params.ingest.path!r}", source.medium.words.many
    if source.count is not None and source.count < least:
        yield (
            f"{path} has {source.count:,} {many}, and validate.min_images asks for {least:,} to train on, beside those "
            f"that are held out: add {many}, or set it lower"
        )
    elif (held_out := _held_out(params.normalize, source)) is not None and held_out < MIN_HOLDOUT:
        yield (
            f"{path} has {source.count:,} {many}, of which normalize.holdout = {params.normalize.holdout:g} holds out "
            f"{held_out}, and figures need {MIN_HOLDOUT} or more: set it higher"
        )
    of_both = 2 * params.validate_.min_class_images
    few = {name: count for name, count in source.class_counts.items() if count < of_both}
    if few and source.classes and not source.domains:
        named = ", ".join(f"{name!r} ({count})" for name, count in [*few.items()][:3])
        yield (
            f"{path} has {counted(len(few), 'class')} with fewer than {of_both} {many}, and validate.min_class_images "
            f"asks for {of_both // 2} in either split: {named}: add {many}, remove the class, or set ingest.labels to "
            "false"
        )
    elif not source.domains and not source.grouped:
        yield from _uneven(params, source)


def _uneven(params: Params, source: Source) -> Iterator[str]:
    """A sentence on a share that is held out by which a class has too few images in one split."""
    least, share, counts = params.validate_.min_class_images, params.normalize.holdout, source.class_counts
    if not source.classes or _is_given(params.normalize, source):
        return
    held_out = {name: _share_of(count, share) for name, count in counts.items()}
    does, cure, in_split = "holds out", "higher", held_out
    if share > 1 / 2:
        does, cure, in_split = "trains on", "lower", {name: counts[name] - held_out[name] for name in counts}
    if few := [f"{name!r} ({count} of {counts[name]})" for name, count in in_split.items() if count < least]:
        yield (
            f"normalize.holdout = {share:g} {does} fewer than {least} {source.medium.words.many} of "
            f"{counted(len(few), 'class')} in {params.ingest.path!r}, and validate.min_class_images asks for {least} "
            f"in either split: {', '.join(few[:3])}: set normalize.holdout {cure}"
        )


def _is_given(to: Normalize, source: Source) -> bool:
    """Whether the source says what is held out, which no share decides then."""
    return to.split == "auto" and source.has_split


def _share_of(count: int, share: float) -> int:
    """How many of so many images a random split holds out."""
    return min(max(round(count * share), 1), count - 1)


def _held_out(to: Normalize, source: Source) -> int | None:
    """How many images a random split will hold out, of images that all differ; None where that is not known."""
    if source.count is None or source.domains or _is_given(to, source):
        return None
    return sum(_share_of(count, to.holdout) for count in source.class_counts.values() or [source.count])
