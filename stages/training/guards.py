"""Checks that stop a failing training, with a sentence."""

from collections.abc import Callable
from typing import Any, TypeVar

from mintage.errors import DivergedError
from mintage.trainer import Trainer
from stages.common.errors import UserError
from stages.common.files import fingerprint_of
from stages.common.resume import Resume, images_at
from stages.common.train_params import Stop

Result = TypeVar("Result")


def checked(look: Callable[[], Result], resume: Resume) -> Result:
    """What `look` returns; a UserError if it finds a loss or a weight that is not finite."""
    try:
        return look()
    except DivergedError as error:
        what = f"training diverged: {error}{_last_good(resume)}"
        raise UserError("training-diverged", f"{what}; lower the learning rates, or use another objective") from None


def require_diversity(trainer: Trainer, least: float, resume: Resume) -> None:
    """Raise UserError if the generated images are less diverse than params allow."""
    found = trainer.diversity()
    if found is not None and found < least:
        what = (
            f"two generated images differ {found:.3g} times as much as two real ones at {trainer.images_seen:,} images"
        )
        limit = f"less than train.min_diversity = {least}{_last_good(resume)}"
        raise UserError(
            "training-collapsed",
            f"training collapsed: {what}, {limit}; lower discriminator.learning_rate, add packing, or lower the limit",
        )


def _last_good(resume: Resume) -> str:
    last = resume.newest()
    return f" (the last good state, at {images_at(last):,} images, is {last})" if last else ""


def stopped_early(measured: list[list[float]], stop: Stop | None) -> dict[str, Any] | None:
    """Provenance of an early stop: the last row of `measured` (images, metric) is `patience` images past the best.

    None if training goes on.
    """
    if stop is None or not measured:
        return None
    best_images, best = min(measured, key=lambda row: row[1])
    images = measured[-1][0]
    if images - best_images < stop.patience:
        return None
    return {"metric": stop.metric, "images": images, "best": best, "best_images": best_images}


def first_stop(measured: list[list[float]], stop: Stop | None) -> int | None:
    """The images at which a training with this `stop` ends; None if it goes on after all measured rows."""
    prefixes = (measured[:count] for count in range(1, len(measured) + 1))
    early = next((found for prefix in prefixes if (found := stopped_early(prefix, stop))), None)
    return None if early is None else int(early["images"])


def measure_of(stop: Stop | None) -> str | None:
    """A digest of all of `stop` but its patience: figures of `Trainer.measured` with one digest are comparable."""
    return None if stop is None else fingerprint_of(stop.model_dump(exclude={"patience"}))[:16]


def why_stopped(early: dict[str, Any]) -> str:
    what = f"{early['metric']} was {early['best']:.4g} at {early['best_images']:,}"
    since = early["images"] - early["best_images"]
    return f"training stopped early at {early['images']:,} images: {what}, and no better for {since:,} images"
