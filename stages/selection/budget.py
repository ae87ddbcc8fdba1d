"""How much of the chosen checkpoint is measured: after a short training less than usual, as the outputs then say."""

from mintage.budget import FULL, images_beside
from stages.common.errors import counted
from stages.common.params import Select

SHORT = 20_000
"""In a training of fewer images, the measures of the chosen checkpoint alone would cost more than the training."""
_TRUNCATION = [0.25, 0.5, 1.0, 2.0]


def within_budget(params: Select, training: int) -> Select:
    """The params, with costly settings that are null filled in to suit a training of so many images."""
    short = training < SHORT
    usual = {"classifier_images": 0 if short else images_beside(training), "truncation": [] if short else _TRUNCATION}
    return params.model_copy(update={key: value for key, value in usual.items() if getattr(params, key) is None})


def left_out(asked: Select, training: int, *, classifiers: bool, truncation: bool) -> str | None:
    """A sentence on what is reduced or left out because the training is short; None if nothing is.

    What params set is never reduced. `classifiers` and `truncation` say which of the two this generator could have.
    """
    known = {
        "the classification accuracy score and other classifiers (select.classifier_images)": (
            classifiers and asked.classifier_images is None
        ),
        "the truncation curve (select.truncation)": truncation and asked.truncation is None,
    }
    because = f"since the training is of {counted(training, 'image')}"
    missing = [what for what, is_open in known.items() if is_open]
    if training < SHORT:
        return f"Left out, {because}: {', '.join(missing)}. To get them, set these params." if missing else None
    images = images_beside(training)
    if images == FULL or not classifiers or asked.classifier_images is not None:
        return None
    return (
        f"Each classifier was shown {images:,} images in place of {FULL:,}, {because} "
        "(select.classifier_images: a number overrides)."
    )
