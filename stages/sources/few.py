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


def _held_out(to: Normalize, source: Source) -> int | None:
    """How many images a random split will hold out, of images that all differ; None where that is not known."""
    if source.count is None or source.domains or (to.split == "auto" and source.has_split):
        return None
    of_each = source.class_counts.values() or [source.count]
    return sum(min(max(round(count * to.holdout), 1), count - 1) for count in of_each)
