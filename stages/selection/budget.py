"""What a selection may cost: a short training is judged by less than the usual one, and the outputs say so."""

from mintage.learning import FULL, images_beside
from stages.common.params import Select

SHORT = 20_000
"""Images of a training, below which what is measured of the chosen checkpoint alone would cost more than it."""
_TRUNCATION = [0.25, 0.5, 1.0, 2.0]


def within_budget(params: Select, training: int) -> Select:
    """Params with all that decides the cost: where they leave it open, what goes with a training of so many images."""
    short = training < SHORT
    usual = {"classifier_images": 0 if short else images_beside(training), "truncation": [] if short else _TRUNCATION}
    return params.model_copy(update={key: value for key, value in usual.items() if getattr(params, key) is None})


def left_out(asked: Select, training: int, *, classifiers: bool, truncation: bool) -> str | None:
    """In a sentence, what a training of so many images gets less of than the usual one, where params leave it open.

    Of `classifiers` and `truncation`, those that there could be of this generator.
    """
    known = {
        "the classification accuracy score and other classifiers (select.classifier_images)": (
            classifiers and asked.classifier_images is None
        ),
        "the truncation curve (select.truncation)": truncation and asked.truncation is None,
    }
    because = f"since the training is of {training:,} images"
    missing = [what for what, is_open in known.items() if is_open]
    if training < SHORT:
        return f"Left out, {because}: {', '.join(missing)}; a value there asks for it." if missing else None
    images = images_beside(training)
    if images == FULL or not classifiers or asked.classifier_images is not None:
        return None
    return (
        f"Each classifier was shown {images:,} images in place of {FULL:,}, {because} "
        "(select.classifier_images: a number overrides)."
    )
