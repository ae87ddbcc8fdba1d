"""scikit-learn's handwritten digits: 1,797 gray images of 8x8, inside the package, so nothing is fetched."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from stages.common.levels import Levels
from stages.common.params import Ingest
from stages.common.pictures import encode_png
from stages.sources import NoOptions, RawImage, Source

Options = NoOptions
READS_PATH = False
_BRIGHTEST = 16  # each value counts the dark pixels in a block of 4x4


def read(_: Ingest, __: NoOptions) -> Source:
    """The test set of Alpaydin and Kaynak's "Optical Recognition of Handwritten Digits" (UCI, 1998), as gray PNG."""
    pixels, labels = all_digits()
    return Source(
        name="digits",
        license="CC BY 4.0",
        origin="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        classes=[str(digit) for digit in range(10)],
        images=_images(pixels, labels),
        count=len(pixels),
    )


def all_digits() -> tuple[Levels, list[int]]:
    """All digits `[1797,8,8]`, with what they are."""
    from sklearn.datasets import load_digits

    found = load_digits()
    return np.rint(found.images * (255 / _BRIGHTEST)).astype(np.uint8), found.target.tolist()


def _images(pixels: Levels, labels: list[int]) -> Iterator[RawImage]:
    for number, (image, label) in enumerate(zip(pixels, labels, strict=True)):
        key = f"digit-{number:04d}"
        yield RawImage(key, f"{key}.png", partial(encode_png, image[None]), label, None)
