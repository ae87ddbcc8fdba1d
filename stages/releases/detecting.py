"""Whether a release's model made a picture, by the detector that the release carries."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mintage.detection import Accuracy, load_detector
from mintage.release import ReleaseError
from stages.common.errors import UserError, quoted
from stages.common.levels import FloatImages
from stages.common.released import provenance_of
from stages.images.decode import UndecodableError
from stages.media import medium_of
from stages.translating.carriers import picture_of


@dataclass(frozen=True)
class Detected:
    """What is said of a file."""

    file: str
    generated: bool
    """Whether the detector takes it for one that the model made."""
    score: float
    """Above 0 where it does; no probability."""


def detect(address: str, files: Sequence[Path]) -> tuple[list[Detected], Accuracy | None]:
    """What the detector of a release, or of a folder, says of each file, and how often it is right.

    Raises UserError if there is no detector, it is of no pictures, or a file is none, or of another size: a resized
    picture is smoother than real ones were in learning, and taken for generated.
    """
    try:
        detector = load_detector(address)
    except ReleaseError as error:
        raise UserError("release-without-detector", str(error)) from None
    if not medium_of(provenance_of(address)).of_pictures or detector.shape[0] not in (1, 3):
        raise UserError(
            "detector-of-no-pictures",
            f"{address} makes no pictures: ask its detector in Python (mintage.load_detector)",
        )
    pictures = np.stack([_picture(path, detector.shape) for path in files])
    scores = detector.scores(pictures).tolist()
    found = [Detected(str(path), score > 0, score) for path, score in zip(files, scores, strict=True)]
    return found, detector.accuracy


def _picture(path: Path, shape: tuple[int, ...]) -> FloatImages:
    try:
        picture = picture_of(path.read_bytes(), shape[0], None)
    except OSError as error:
        raise UserError("picture-unreadable", f"{path} cannot be read: {error.strerror}") from None
    except UndecodableError as error:
        raise UserError(
            "picture-unreadable", f"{path} cannot be read as a picture ({quoted(str(error))}): name another file"
        ) from None
    if picture.shape != shape:
        (height, width), (own_height, own_width) = picture.shape[1:], shape[1:]
        raise UserError(
            "picture-of-another-size",
            f"{path} has {width} x {height} pixels, and the detector is of {own_width} x {own_height}: name the file "
            "as it was made, since a resized picture is taken for generated",
        )
    return picture
